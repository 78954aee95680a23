//! The session: driver, effects, journal.
