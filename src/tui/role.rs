//! The roles that a theme gives a look to. A pane asks for a [`Role`], never for a colour.

macro_rules! roles {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),* $(,)?) => {
        /// What a piece of text is, whatever it looks like.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Role {
            $($(#[$doc])* $variant,)*
        }

        impl Role {
            /// All roles, in the order of the themes' documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the role's key in a theme file.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

roles! {
    Text = "text",
    TextDim = "text.dim",
    TextStrong = "text.strong",
    Accent = "accent",
    Border = "border",
    Progress = "progress",
    User = "user",
    UserBar = "user.bar",
    Placeholder = "placeholder",
    Key = "key",
    Selection = "selection",
    Match = "match",
    Marker = "marker",
    Reasoning = "reasoning",
    Status = "status",
    StatusBusy = "status.busy",
    StatusEnforced = "status.enforced",
    StatusPlan = "status.plan",
    StatusAsk = "status.ask",
    StatusEdit = "status.edit",
    StatusAuto = "status.auto",
    NoticeInfo = "notice.info",
    NoticeWarning = "notice.warning",
    NoticeError = "notice.error",
    Call = "call",
    CallPending = "call.pending",
    CallAsking = "call.asking",
    CallRunning = "call.running",
    CallDone = "call.done",
    CallFailed = "call.failed",
    CallDenied = "call.denied",
    CallOutput = "call.output",
    Approval = "approval",
    ApprovalBorder = "approval.border",
    RiskLow = "risk.low",
    RiskHigh = "risk.high",
    DiffAdded = "diff.added",
    DiffRemoved = "diff.removed",
    DiffAddedWord = "diff.added.word",
    DiffRemovedWord = "diff.removed.word",
    DiffAddedSign = "diff.added.sign",
    DiffRemovedSign = "diff.removed.sign",
    DiffHunk = "diff.hunk",
    DiffGutter = "diff.gutter",
    DiffPath = "diff.path",
    Code = "code",
    CodeBlock = "code.block",
    CodeGutter = "code.gutter",
    CodeKeyword = "code.keyword",
    CodeFunction = "code.function",
    CodeType = "code.type",
    CodeString = "code.string",
    CodeNumber = "code.number",
    CodeConstant = "code.constant",
    CodeComment = "code.comment",
    CodeAttribute = "code.attribute",
    CodeTag = "code.tag",
    Heading = "markdown.heading",
    Strong = "markdown.strong",
    Emphasis = "markdown.emphasis",
    Strike = "markdown.strike",
    Link = "markdown.link",
    LinkTarget = "markdown.target",
    Quote = "markdown.quote",
    ListMark = "markdown.list",
}

/// Up to three roles laid over one another, such as emphasis within a heading: the later one wins where both say
/// something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ink {
    roles: [Option<Role>; 3],
}

impl Ink {
    /// Lays a role over this ink; a fourth replaces the third.
    #[must_use]
    pub fn over(mut self, role: Role) -> Self {
        let at = self.roles.iter().position(Option::is_none).unwrap_or(2);
        self.roles[at] = Some(role);
        self
    }

    /// Returns the roles from the lowest to the topmost.
    pub fn roles(self) -> impl Iterator<Item = Role> {
        self.roles.into_iter().flatten()
    }
}

impl From<Role> for Ink {
    fn from(role: Role) -> Self {
        Self {
            roles: [Some(role), None, None],
        }
    }
}
