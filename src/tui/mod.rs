//! The terminal UI.

pub mod diff;
pub mod highlight;
pub mod markdown;
pub mod role;
pub mod text;
pub mod theme;
