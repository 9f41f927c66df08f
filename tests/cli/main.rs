//! Tests of the program `ranvgg`, in one program.

mod devices;
