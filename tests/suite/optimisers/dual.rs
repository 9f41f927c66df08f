//! Numbers with a derivative: gradients of test problems without a second formula for each.

use std::iter::Sum;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A value, and its derivative with respect to one variable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Dual {
    pub(super) value: f64,
    pub(super) slope: f64,
}

impl From<f64> for Dual {
    fn from(value: f64) -> Self {
        Self { value, slope: 0.0 }
    }
}

impl Add for Dual {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            value: self.value + other.value,
            slope: self.slope + other.slope,
        }
    }
}

impl Mul for Dual {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self {
            value: self.value * other.value,
            slope: self.slope * other.value + self.value * other.slope,
        }
    }
}

impl Div for Dual {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        Self {
            value,
            slope: (self.slope - value * other.slope) / other.value,
        }
    }
}

impl Neg for Dual {
    type Output = Self;
    fn neg(self) -> Self {
        self * -1.0
    }
}

impl Sub for Dual {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

/// The same with a plain number on either side.
macro_rules! with_plain_numbers {
    ($($operation:ident $method:ident),*) => {$(
        impl $operation<f64> for Dual {
            type Output = Dual;
            fn $method(self, other: f64) -> Dual {
                self.$method(Dual::from(other))
            }
        }

        impl $operation<Dual> for f64 {
            type Output = Dual;
            fn $method(self, other: Dual) -> Dual {
                Dual::from(self).$method(other)
            }
        }
    )*};
}
with_plain_numbers!(Add add, Sub sub, Mul mul, Div div);

impl Sum for Dual {
    fn sum<I: Iterator<Item = Self>>(numbers: I) -> Self {
        numbers.fold(Self::from(0.0), |sum, number| sum + number)
    }
}

impl Dual {
    fn chain(self, value: f64, derivative: f64) -> Self {
        Self {
            value,
            slope: self.slope * derivative,
        }
    }

    pub(super) fn exp(self) -> Self {
        self.chain(self.value.exp(), self.value.exp())
    }

    pub(super) fn ln(self) -> Self {
        self.chain(self.value.ln(), 1.0 / self.value)
    }

    pub(super) fn sin(self) -> Self {
        self.chain(self.value.sin(), self.value.cos())
    }

    pub(super) fn cos(self) -> Self {
        self.chain(self.value.cos(), -self.value.sin())
    }

    pub(super) fn atan(self) -> Self {
        self.chain(self.value.atan(), 1.0 / (1.0 + self.value * self.value))
    }

    pub(super) fn sqrt(self) -> Self {
        self.chain(self.value.sqrt(), 0.5 / self.value.sqrt())
    }

    pub(super) fn abs(self) -> Self {
        self.chain(self.value.abs(), self.value.signum())
    }

    pub(super) fn square(self) -> Self {
        self * self
    }
}

/// The sum of squares of residuals at `x`, and its gradient.
pub(super) fn squares(residuals: impl Fn(&[Dual]) -> Vec<Dual>, x: &[f64]) -> (f64, Vec<f64>) {
    let mut value = 0.0;
    let gradient = (0..x.len()).map(|i| {
        let varied = |j: usize| Dual {
            value: x[j],
            slope: f64::from(u8::from(i == j)),
        };
        let point: Vec<Dual> = (0..x.len()).map(varied).collect();
        let sum: Dual = residuals(&point).into_iter().map(Dual::square).sum();
        value = sum.value;
        sum.slope
    });
    let gradient = gradient.collect();
    (value, gradient)
}
