//! Running `walden map`: where a request may be about.

use std::sync::atomic::AtomicBool;

use super::find_root;
use crate::cli::{Map, Options};
use crate::code::{self, Repository};
use crate::error::UserError;
use crate::protocol::sanitize;
use crate::workspace::Roots;

/// Runs `walden map` and returns what to print.
///
/// # Errors
/// When the folder cannot be opened.
pub fn map(options: &Options, asked: &Map) -> Result<String, UserError> {
    let root = find_root(options)?;
    let roots = Roots::open(&[root]).map_err(UserError::from_error)?;
    let mut repository = Repository::default();
    repository.refresh(&roots, &AtomicBool::new(false));
    let ranked = repository.rank(&asked.request);
    if ranked.is_empty() {
        return Ok(format!(
            "none of the {} files of code has a word of this\n",
            repository.len()
        ));
    }
    Ok(sanitize(&code::map(&ranked, asked.bytes)))
}
