//! The tools, in two tables.
//!
//! The first twelve of [`FULL`] are the reference server's, in its order and with its words; what is marked
//! [`Argument::extension`] they have besides.

use super::tools::{Argument, Description, Kind, Risk, argument, described, known, more, short};

const REPO: Argument = argument("repo_path", Kind::Text, "Repo Path");
const CONTEXT: Argument = argument(
    "context_lines",
    Kind::Number { default: 3 },
    "Context Lines",
);
const PATHS: Argument = more(
    "paths",
    Kind::OptionalTexts,
    "Only these files and folders.",
);
const STAT: Argument = more(
    "stat",
    Kind::Flag,
    "How many lines changed in each file, instead of the lines.",
);
const STASH_INDEX: Argument = more("index", Kind::Number { default: 0 }, "N of stash@{N}.");
const PATH: Argument = argument("path", Kind::Text, "Path");

macro_rules! timestamp {
    ($which:literal) => {
        concat!(
            $which,
            " timestamp for filtering commits. Accepts: ISO 8601 format (e.g., '2024-01-15T14:30:25'), \
             relative dates (e.g., '2 weeks ago', 'yesterday'), or absolute dates (e.g., '2024-01-15', \
             'Jan 15 2024')"
        )
    };
}

const fn reference(
    name: &'static str,
    title: &'static str,
    text: &'static str,
    arguments: &'static [Argument],
) -> Description {
    Description {
        name,
        text,
        arguments,
        risk: Risk::Read,
        repeatable: true,
        title: Some(title),
    }
}

const fn own(
    name: &'static str,
    risk: Risk,
    text: &'static str,
    arguments: &'static [Argument],
) -> Description {
    Description {
        name,
        text,
        arguments,
        risk,
        repeatable: matches!(risk, Risk::Read),
        title: None,
    }
}

/// The tools for any host.
pub(super) const FULL: &[Description] = &[
    reference(
        "git_status",
        "statusArguments",
        "Shows the working tree status",
        &[REPO],
    ),
    reference(
        "git_diff_unstaged",
        "diff_unstagedArguments",
        "Shows changes in the working directory that are not yet staged",
        &[REPO, CONTEXT, PATHS, STAT],
    ),
    reference(
        "git_diff_staged",
        "diff_stagedArguments",
        "Shows changes that are staged for commit",
        &[REPO, CONTEXT, PATHS, STAT],
    ),
    reference(
        "git_diff",
        "diffArguments",
        "Shows differences between branches or commits",
        &[
            REPO,
            argument("target", Kind::Text, "Target"),
            CONTEXT,
            PATHS,
            STAT,
        ],
    ),
    Description {
        risk: Risk::Git,
        repeatable: false,
        ..reference(
            "git_commit",
            "commitArguments",
            "Records changes to the repository",
            &[REPO, argument("message", Kind::Text, "Message")],
        )
    },
    Description {
        risk: Risk::Git,
        ..reference(
            "git_add",
            "addArguments",
            "Adds file contents to the staging area",
            &[REPO, argument("files", Kind::Texts, "Files")],
        )
    },
    Description {
        risk: Risk::Git,
        ..reference(
            "git_reset",
            "resetArguments",
            "Unstages all staged changes",
            &[
                REPO,
                more("files", Kind::OptionalTexts, "Unstages only these."),
            ],
        )
    },
    reference(
        "git_log",
        "logArguments",
        "Shows the commit logs",
        &[
            REPO,
            argument("max_count", Kind::Number { default: 10 }, "Max Count"),
            described(
                argument("start_timestamp", Kind::OptionalText, "Start Timestamp"),
                timestamp!("Start"),
            ),
            described(
                argument("end_timestamp", Kind::OptionalText, "End Timestamp"),
                timestamp!("End"),
            ),
            more(
                "revision",
                Kind::OptionalText,
                "A branch, a commit, or a range A..B.",
            ),
            more(
                "path",
                Kind::OptionalText,
                "Only commits that changed this file or folder.",
            ),
            more("follow", Kind::Flag, "Goes on through renames of the file."),
            more(
                "author",
                Kind::OptionalText,
                "Part of the author's name or mail address.",
            ),
            more("grep", Kind::OptionalText, "Part of the message."),
        ],
    ),
    Description {
        risk: Risk::Git,
        repeatable: false,
        ..reference(
            "git_create_branch",
            "create_branchArguments",
            "Creates a new branch from an optional base branch",
            &[
                REPO,
                argument("branch_name", Kind::Text, "Branch Name"),
                argument("base_branch", Kind::OptionalText, "Base Branch"),
            ],
        )
    },
    Description {
        risk: Risk::Git,
        repeatable: false,
        ..reference(
            "git_checkout",
            "checkoutArguments",
            "Switches branches",
            &[REPO, argument("branch_name", Kind::Text, "Branch Name")],
        )
    },
    reference(
        "git_show",
        "showArguments",
        "Shows the contents of a commit, or of a file or directory given as <revision>:<path>",
        &[REPO, argument("revision", Kind::Text, "Revision")],
    ),
    reference(
        "git_branch",
        "branchArguments",
        "List Git branches",
        &[
            described(REPO, "The path to the Git repository."),
            described(
                argument("branch_type", Kind::Text, "Branch Type"),
                "Whether to list local branches ('local'), remote branches ('remote') or all branches('all').",
            ),
            described(
                argument("contains", Kind::OptionalText, "Contains"),
                "The commit sha that branch should contain. Do not pass anything to this param if no commit sha is \
                 specified",
            ),
            described(
                argument("not_contains", Kind::OptionalText, "Not Contains"),
                "The commit sha that branch should NOT contain. Do not pass anything to this param if no commit sha \
                 is specified",
            ),
        ],
    ),
    own(
        "git_blame",
        Risk::Read,
        "Shows the commit, author and date of each line of a file",
        &[
            REPO,
            PATH,
            more(
                "revision",
                Kind::OptionalText,
                "The file as of this commit.",
            ),
            more("start_line", Kind::OptionalCount, "First line, from 1."),
            more("end_line", Kind::OptionalCount, "Last line."),
        ],
    ),
    own("git_stash_list", Risk::Read, "Lists the stash", &[REPO]),
    own(
        "git_stash_push",
        Risk::Git,
        "Puts local changes aside on the stash",
        &[
            REPO,
            more("message", Kind::OptionalText, "What the changes are."),
            more("include_untracked", Kind::Flag, "Untracked files as well."),
        ],
    ),
    own(
        "git_stash_pop",
        Risk::Git,
        "Brings changes back from the stash; refuses to overwrite local changes",
        &[
            REPO,
            STASH_INDEX,
            more("keep", Kind::Flag, "Keeps the entry on the stash."),
        ],
    ),
    own(
        "git_stash_drop",
        Risk::History,
        "Drops an entry of the stash",
        &[REPO, STASH_INDEX],
    ),
    own(
        "git_tag_list",
        Risk::Read,
        "Lists tags with their commits",
        &[
            REPO,
            more("contains", Kind::OptionalText, "Part of the tag's name."),
        ],
    ),
    own(
        "git_worktree_list",
        Risk::Read,
        "Lists the worktrees of the repository",
        &[REPO],
    ),
    own(
        "git_conflicts",
        Risk::Read,
        "Lists unmerged files, or shows the base, our and their side of one",
        &[REPO, more("path", Kind::OptionalText, "The file to show.")],
    ),
    own(
        "git_resolve",
        Risk::Git,
        "Marks an unmerged file as resolved: with the file as it is, or with one side",
        &[
            REPO,
            PATH,
            more(
                "with",
                Kind::OneOf(&["file", "ours", "theirs"]),
                "What it is resolved with.",
            ),
        ],
    ),
    own(
        "git_delete_branch",
        Risk::History,
        "Deletes a local branch that another one contains",
        &[
            REPO,
            argument("branch_name", Kind::Text, "Branch Name"),
            more("force", Kind::Flag, "Also one with commits of its own."),
        ],
    ),
    own(
        "git_reset_to",
        Risk::History,
        "Moves the current branch to a commit; a hard reset stashes local changes first",
        &[
            REPO,
            argument("revision", Kind::Text, "Revision"),
            more(
                "mode",
                Kind::OneOf(&["mixed", "soft", "hard"]),
                "soft: the branch alone; mixed: the index too; hard: the files too.",
            ),
        ],
    ),
];

/// The tools for a small model, which stand in each of its prompts.
pub(super) const COMPACT: &[Description] = &[
    own(
        "git_diff",
        Risk::Read,
        "Shows uncommitted changes, or those of `target`: a commit, or A..B.",
        &[
            known(short("target", Kind::OptionalText), "ref"),
            short("path", Kind::OptionalText),
        ],
    ),
    own(
        "git_log",
        Risk::Read,
        "Lists commits.",
        &[
            short("path", Kind::OptionalText),
            short("grep", Kind::OptionalText),
            short("max", Kind::OptionalCount),
        ],
    ),
    own(
        "git_show",
        Risk::Read,
        "Shows a commit, or the file `commit:path`.",
        &[
            known(short("revision", Kind::Text), "ref"),
            short("from", Kind::OptionalCount),
        ],
    ),
    own(
        "git_blame",
        Risk::Read,
        "Shows who changed the lines of a file.",
        &[
            known(short("path", Kind::Text), "file"),
            short("from", Kind::OptionalCount),
            short("lines", Kind::OptionalCount),
        ],
    ),
];
