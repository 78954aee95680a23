//! How each form writes the arguments of a call, as far as it matters to what they are held to.

use llguidance::toktrie::TokTrie;

use crate::protocol::CallForm;

/// What stands before the name of a token that is a mark of its own, in the vocabulary's bytes. No text has this byte.
pub(super) const SPECIAL: u8 = TokTrie::SPECIAL_TOKEN_MARKER;

/// How a call is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    /// As JSON, its tool's name in it.
    Json,
    /// The tool's name and marks, then its arguments as JSON. The name comes first, or after the last mark.
    Headed { name_is_last: bool },
    /// `name(key="value")`.
    Python,
    /// `name{key:<|"|>value<|"|>}`.
    Braces(End),
    /// `name>` and `<parameter=key>value</parameter>`.
    Tags(End),
    /// `name` and `<arg_key>key</arg_key><arg_value>value</arg_value>`.
    Pairs(End),
}

/// What ends a string that is written as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum End {
    /// The line that closes its tag.
    Line,
    /// The tag that closes it, on the same line.
    Tag,
    Pair,
    /// The same as a token of its own.
    PairToken,
    Quote,
    QuoteToken,
}

/// How a string is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Writing {
    /// As JSON, up to its closing quote.
    Json,
    /// As it is.
    Plain(End),
}

/// A byte that every way into a guarded string goes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Border {
    Quote,
    LineBreak,
    Angle,
}

impl Syntax {
    /// Returns how a form is written with a vocabulary, in which some marks may be tokens of their own.
    pub(super) fn of(form: CallForm, trie: &TokTrie) -> Self {
        let is_token = |mark| trie.get_special_token(mark).is_some();
        match form {
            CallForm::JsonFence
            | CallForm::ToolCallTag
            | CallForm::ToolCallsToken
            | CallForm::ToolCallToken
            | CallForm::BareJson => Self::Json,
            CallForm::ToolCallsArgs | CallForm::Harmony | CallForm::DeepSeek => Self::Headed {
                name_is_last: false,
            },
            CallForm::DeepSeekFence => Self::Headed { name_is_last: true },
            CallForm::Pythonic => Self::Python,
            CallForm::Braces => Self::Braces(match is_token(End::Quote.text()) {
                true => End::QuoteToken,
                false => End::Quote,
            }),
            CallForm::FunctionTag => Self::Tags(End::Line),
            CallForm::SeedTag => Self::Tags(End::Tag),
            CallForm::ArgKeys => Self::Pairs(match is_token(End::Pair.text()) {
                true => End::PairToken,
                false => End::Pair,
            }),
        }
    }

    /// Tells whether each argument stands between marks of its own, and lists and objects in there are JSON.
    pub(super) fn is_marked(self) -> bool {
        matches!(self, Self::Tags(_) | Self::Pairs(_))
    }

    /// Reads the tool's name in what was written up to the byte that ends a call's head; `None` where this byte does
    /// not end it.
    pub(super) fn name(self, head: &str) -> Option<&str> {
        let end = match self {
            Self::Json => return None,
            Self::Headed { .. } | Self::Braces(_) => '{',
            Self::Python => '(',
            Self::Tags(_) => '>',
            Self::Pairs(_) => '\n',
        };
        let head = head.strip_suffix(end)?;
        Some(match self {
            Self::Headed { name_is_last: true } => {
                let after = head
                    .rsplit_once("<｜tool▁sep｜>")
                    .map_or(head, |(_, name)| name);
                first_name(after)
            }
            Self::Headed { .. } => first_name(head),
            Self::Python => head.trim_start_matches(['[', ' ']).trim(),
            Self::Tags(_) => head.trim().trim_start_matches("<function="),
            Self::Json | Self::Braces(_) | Self::Pairs(_) => head.trim(),
        })
    }

    /// Reads the key of an argument in what was written since the last one, where its value begins now.
    pub(super) fn key(self, written: &str) -> Option<&str> {
        match self {
            Self::Tags(_) => {
                let (_, key) = written.strip_suffix('>')?.rsplit_once("<parameter=")?;
                Some(key)
            }
            Self::Pairs(_) => {
                let (_, after) = written
                    .strip_suffix("<arg_value>")?
                    .rsplit_once("<arg_key>")?;
                after.split_once("</arg_key>").map(|(key, _)| key.trim())
            }
            Self::Json | Self::Headed { .. } | Self::Python | Self::Braces(_) => None,
        }
    }
}

impl End {
    /// The end as a vocabulary with these tokens has it.
    pub(super) fn bytes(self) -> &'static [u8] {
        match self {
            Self::PairToken => b"\xff</arg_value>",
            Self::QuoteToken => b"\xff<|\"|>",
            Self::Line | Self::Tag | Self::Pair | Self::Quote => self.text().as_bytes(),
        }
    }

    /// The end as it reads.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Line => "\n</parameter>\n",
            Self::Tag => "</parameter>\n",
            Self::Pair | Self::PairToken => "</arg_value>",
            Self::Quote | Self::QuoteToken => "<|\"|>",
        }
    }
}

fn first_name(head: &str) -> &str {
    let head = head.trim_start();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.:/".contains(c);
    &head[..head.find(|c| !is_name(c)).unwrap_or(head.len())]
}
