//! The RESP codec from the outside; one module per question.

mod vectors;
