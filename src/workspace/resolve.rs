//! Where a path really leads, for whoever decides about it.

use rustix::io::Errno;

use super::beneath;
use super::roots::{Roots, RootsError};

impl Roots {
    /// Returns the name of what a path leads to, with the symlinks inside the roots followed. Of what is not there yet,
    /// the folder is followed and the last part is as it was given.
    ///
    /// # Errors
    ///
    /// When the path leads outside of the roots.
    pub fn leads_to(&self, path: &str) -> Result<String, RootsError> {
        let place = self.place(path)?;
        let outside = || RootsError::Outside { path: place.name() };
        let real = |path: &str| match beneath::real_path(&place.root.dir, &place.root.path, path) {
            Ok(real) => Ok(Some(real)),
            // What cannot be opened for another reason is refused when it is: it leads nowhere.
            Err(Errno::XDEV) => Err(outside()),
            Err(_) => Ok(None),
        };
        if let Some(real) = real(&place.path)? {
            return Ok(place.at(real).name());
        }
        let Some((folder, name)) = place.path.rsplit_once('/') else {
            return Ok(place.name());
        };
        Ok(match real(folder)? {
            Some(folder) if folder.is_empty() => place.at(name.to_owned()).name(),
            Some(folder) => place.at(format!("{folder}/{name}")).name(),
            None => place.name(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test lays its own files")]

    use super::*;

    #[test]
    fn a_path_is_named_by_what_it_leads_to() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("real")).expect("a folder");
        std::fs::write(root.join(".env"), "KEY=1").expect("written");
        std::fs::write(dir.path().join("outside"), "").expect("written");
        for (link, to) in [
            ("notes.txt", ".env"),
            ("docs", "real"),
            ("out", "../outside"),
        ] {
            std::os::unix::fs::symlink(to, root.join(link)).expect("a link");
        }
        let roots = Roots::open(&[root]).expect("a root");
        let leads = |path: &str| roots.leads_to(path).map_err(|error| error.to_string());
        assert_eq!(leads("notes.txt"), Ok(".env".to_owned()));
        assert_eq!(leads("./a/../notes.txt"), Ok(".env".to_owned()));
        assert_eq!(leads("docs/new.txt"), Ok("real/new.txt".to_owned()));
        assert_eq!(leads("new.txt"), Ok("new.txt".to_owned()));
        assert_eq!(leads("real"), Ok("real".to_owned()));
        assert!(leads("out").is_err());
        assert!(leads("../outside").is_err());
    }
}
