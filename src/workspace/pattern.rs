//! Globs over whole paths.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Some globs, each about a whole path: `*` stays within a folder, `**` does not.
#[derive(Debug, Clone)]
pub struct Patterns {
    globs: GlobSet,
    negated: bool,
}

/// A text that is not a glob.
#[derive(Debug, thiserror::Error)]
#[error("`{pattern}` is not a glob: {reason}")]
pub struct PatternError {
    pattern: String,
    reason: String,
}

impl Patterns {
    /// Compiles globs, of which one must match.
    ///
    /// # Errors
    ///
    /// When one of them is not a glob.
    pub fn any_of<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, PatternError> {
        let mut globs = GlobSetBuilder::new();
        let failed = |pattern: &str, error: &globset::Error| PatternError {
            pattern: pattern.to_owned(),
            reason: error.kind().to_string(),
        };
        for pattern in patterns {
            let glob = GlobBuilder::new(pattern.trim_start_matches("./"))
                .literal_separator(true)
                .build()
                .map_err(|error| failed(pattern, &error))?;
            globs.add(glob);
        }
        let globs = globs.build().map_err(|error| failed("", &error))?;
        Ok(Self {
            globs,
            negated: false,
        })
    }

    /// Compiles one glob; with a leading `!` it matches what the rest does not.
    ///
    /// # Errors
    ///
    /// When it is not a glob.
    pub fn one(pattern: &str) -> Result<Self, PatternError> {
        let (pattern, negated) = match pattern.strip_prefix('!') {
            Some(rest) => (rest, true),
            None => (pattern, false),
        };
        let patterns = Self::any_of([pattern])?;
        Ok(Self {
            negated,
            ..patterns
        })
    }

    /// Tells whether there is no glob at all.
    pub(super) fn is_empty(&self) -> bool {
        self.globs.is_empty()
    }

    /// Tells whether a path is meant.
    pub fn matches(&self, path: &str) -> bool {
        self.globs.is_match(path) != self.negated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_within_a_folder() {
        for (pattern, path, meant) in [
            ("*.txt", "a.txt", true),
            ("*.txt", "sub/a.txt", false),
            ("**/*.txt", "a.txt", true),
            ("**/*.txt", "sub/deep/a.txt", true),
            ("sub/**", "sub/a", true),
            ("sub/**", "sub", false),
            ("**/*", ".hidden", true),
            ("*.{rs,py}", "a.py", true),
            ("!*.rs", "a.py", true),
            ("!*.rs", "a.rs", false),
            ("zzz", "a/zzz", false),
        ] {
            let patterns = Patterns::one(pattern).expect("a glob");
            assert_eq!(patterns.matches(path), meant, "{pattern} {path}");
        }
        assert!(Patterns::one("[").is_err());
    }
}
