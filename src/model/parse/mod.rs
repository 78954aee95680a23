//! The stream parser: what a model wrote, taken apart as it comes.
