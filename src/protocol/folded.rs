//! Names as the file systems compare them that tell the least apart.

/// Folds a path as some file system does: without difference between cases, without letters that are not seen, and
/// without the dots and spaces that a part ends in. Two paths that are the same then can be one file; where a refusal or
/// a question hangs on a name, it hangs on this.
///
/// ext4 and tmpfs (with `casefold`), APFS, HFS+, NTFS and FAT each do a part of it. Letters that are written in several
/// ways with their accents are left as they are: no name that walden itself looks for has one.
pub fn folded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for (at, part) in path.split('/').enumerate() {
        if at > 0 {
            out.push('/');
        }
        let begins = out.len();
        for c in part.chars().filter(|c| !is_passed_over(*c)) {
            match c {
                'ſ' => out.push('s'),
                'ß' | 'ẞ' => out.push_str("ss"),
                'ﬀ' => out.push_str("ff"),
                'ﬁ' => out.push_str("fi"),
                'ﬂ' => out.push_str("fl"),
                'ﬃ' => out.push_str("ffi"),
                'ﬄ' => out.push_str("ffl"),
                'ﬅ' | 'ﬆ' => out.push_str("st"),
                c => out.extend(c.to_lowercase()),
            }
        }
        // `.` and `..` are names of their own.
        if !matches!(&out[begins..], "." | "..") {
            let kept = out.trim_end_matches(['.', ' ']).len();
            out.truncate(kept.max(begins));
        }
    }
    out
}

/// Letters that a name may have or not, and be the same to ext4's `casefold` and to HFS+.
fn is_passed_over(c: char) -> bool {
    matches!(
        c,
        '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{115F}'
            | '\u{1160}'
            | '\u{17B4}'
            | '\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_some_file_system_takes_for_one_name_is_one() {
        for (path, expected) in [
            ("src/Main.RS", "src/main.rs"),
            (".GIT/config", ".git/config"),
            (".\u{200d}env", ".env"),
            (".\u{17f}\u{17f}h/id_r\u{17f}a", ".ssh/id_rsa"),
            (".ßh", ".ssh"),
            ("make\u{fb01}le", "makefile"),
            ("\u{212a}ey.pem", "key.pem"),
            (".env. ./x", ".env/x"),
            ("../a/./b", "../a/./b"),
            ("/a//b/", "/a//b/"),
            ("été", "été"),
        ] {
            assert_eq!(folded(path), expected, "{path:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_folded_stays(path in "[a-zA-ZſßK. /\u{200b}\u{130}é]{0,20}") {
            let once = folded(&path);
            proptest::prop_assert_eq!(folded(&once), once.clone());
            proptest::prop_assert_eq!(once.matches('/').count(), path.matches('/').count());
        }
    }
}
