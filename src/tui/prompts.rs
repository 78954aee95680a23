//! The user's own slash commands: texts in which `$ARGUMENTS` stands for what follows the command.

/// One such command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// Its name, without the slash.
    pub name: String,
    pub text: String,
}

impl Prompt {
    /// Returns the message: `$ARGUMENTS` and `$1` to `$9` are filled in. Where the text names none of them, what
    /// follows the command is put at its end.
    pub fn message(&self, arguments: &str) -> String {
        let mut text = self.text.clone();
        let mut named = text.contains("$ARGUMENTS");
        let words: Vec<&str> = arguments.split_whitespace().collect();
        for number in (1..=9).rev() {
            let mark = format!("${number}");
            if text.contains(&mark) {
                named = true;
                text = text.replace(&mark, words.get(number - 1).copied().unwrap_or_default());
            }
        }
        // Last, so that what the user writes is not searched for marks.
        text = text.replace("$ARGUMENTS", arguments);
        match named || arguments.is_empty() {
            true => text,
            false => format!("{text}\n\n{arguments}"),
        }
    }

    /// Describes it by its first line.
    pub fn about(&self) -> String {
        let first = self.text.lines().find(|line| !line.trim().is_empty());
        super::text::clean_line(first.unwrap_or_default().trim_start_matches(['#', ' ']))
            .chars()
            .take(60)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_filled_in_or_put_at_the_end() {
        let prompt = |text: &str| Prompt {
            name: "x".into(),
            text: text.into(),
        };
        assert_eq!(prompt("Fix $ARGUMENTS now").message("a b"), "Fix a b now");
        assert_eq!(prompt("Move $1 to $2").message("a b"), "Move a to b");
        assert_eq!(prompt("Move $1 to $2").message("a"), "Move a to ");
        assert_eq!(prompt("Review it").message("a.rs"), "Review it\n\na.rs");
        assert_eq!(prompt("Review it").message(""), "Review it");
        assert_eq!(prompt("Say $ARGUMENTS").message("$1"), "Say $1");
    }
}
