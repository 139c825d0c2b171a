//! The RESP codec from the outside; one module per question.

mod encode;
mod errors;
mod feed;
mod frames;
mod fuzz;
mod glob;
mod limits;
mod oracle;
mod random;
mod vectors;
mod wire;
