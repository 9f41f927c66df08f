//! Tests of the program `ranvgg`, in one program.

mod devices;
mod maps;
mod metadata;
mod pictures;
mod watch;
