//! The agent: a pure state machine.
