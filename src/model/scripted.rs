//! A model that plays a script: for tests of everything above the model.
