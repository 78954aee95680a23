//! What broke in other programs of this kind, and what shows that it does not here: one list, of which the table on the
//! page of [`walden::threat_model`] is made, and tests for what no other test plays.
//!
//! The list is held to its word: every test that it names is there. `UPDATE_DOCS=1 cargo test --test cve` writes the table.

#![expect(
    clippy::disallowed_methods,
    reason = "a test reads the sources, and lays its own files"
)]

use std::path::Path;

use walden::workspace::{Roots, is_executable_data, is_protected};

/// What happened elsewhere, what keeps it from happening here, and the tests that show it: a file and a name each.
struct Incident {
    what: &'static str,
    here: &'static str,
    tests: &'static [(&'static str, &'static str)],
}

const INCIDENTS: &[Incident] = &[
    Incident {
        what: "A root taken for the beginning of a name: `/root` and `/rootevil` (CVE-2025-53110)",
        here: "paths are opened beneath the root's descriptor",
        tests: &[
            (
                "src/workspace/tests/boundary.rs",
                "paths_that_lead_outside_are_refused",
            ),
            (
                "tests/cve.rs",
                "a_sibling_that_begins_like_the_root_is_outside",
            ),
        ],
    },
    Incident {
        what: "A symlink out of the root (CVE-2025-53109)",
        here: "`openat2` beneath the root",
        tests: &[
            (
                "src/workspace/tests/boundary.rs",
                "symlinks_that_lead_outside_are_refused_and_those_inside_are_followed",
            ),
            (
                "src/workspace/tests/boundary.rs",
                "magic_links_lead_nowhere",
            ),
        ],
    },
    Incident {
        what: "Checked, then exchanged, then opened",
        here: "what was checked is what is opened",
        tests: &[
            (
                "src/workspace/tests/boundary.rs",
                "a_racing_rename_never_leads_outside",
            ),
            (
                "src/workspace/tests/boundary.rs",
                "a_racing_rename_never_makes_a_write_go_outside",
            ),
        ],
    },
    Incident {
        what: "A git server that makes, reads and stages anywhere, and takes options for names (CVE-2025-68143 to -68145, CVE-2026-27735)",
        here: "no program git; every path is checked against the roots",
        tests: &[
            (
                "src/servers/git/tests/hostile.rs",
                "only_what_was_opened_can_be_reached",
            ),
            (
                "src/servers/git/tests/hostile.rs",
                "only_files_of_the_repository_are_staged",
            ),
            (
                "src/servers/git/tests/hostile.rs",
                "without_a_root_nothing_can_be_reached",
            ),
        ],
    },
    Incident {
        what: "No roots taken for all roots",
        here: "no root, no access",
        tests: &[
            (
                "src/workspace/tests/boundary.rs",
                "without_roots_nothing_is_allowed",
            ),
            (
                "src/servers/filesystem/tests/client_roots.rs",
                "the_roots_of_a_client_replace_the_servers_whenever_they_change",
            ),
        ],
    },
    Incident {
        what: "An agent writes its own list of servers (CVE-2025-54135, CVE-2026-30615)",
        here: "such files are asked about in every mode, and a repository's servers are inert",
        tests: &[
            (
                "tests/cve.rs",
                "what_agents_and_builds_obey_is_asked_about_under_any_name",
            ),
            (
                "src/mcp/tests/config.rs",
                "a_repository_cannot_grant_its_own_server_anything",
            ),
        ],
    },
    Incident {
        what: "Trust in a name, and another content under it (CVE-2025-54136)",
        here: "pins over the whole definition and the program's bytes",
        tests: &[
            (
                "src/mcp/tests/pins.rs",
                "any_change_of_a_definition_is_told_field_by_field",
            ),
            (
                "tests/mcp.rs",
                "a_server_that_changes_its_tools_is_stopped_with_the_difference",
            ),
        ],
    },
    Incident {
        what: "A repository that acts when it is opened (CVE-2025-59536, CVE-2026-21852, CVE-2026-33068, CVE-2025-61260, GHSA-wpqr-6v78-jr5g)",
        here: "what a repository says is data until the user's first word",
        tests: &[(
            "tests/hostile.rs",
            "a_hostile_repository_runs_opens_and_reaches_nothing_before_the_first_word",
        )],
    },
    Incident {
        what: "Approved once, used for ever",
        here: "trust is in a hash of what was shown",
        tests: &[
            (
                "src/session/trust.rs",
                "trust_is_in_one_text_and_can_be_taken_back",
            ),
            (
                "src/mcp/tests/pins.rs",
                "who_is_trusted_for_a_run_is_held_to_what_it_was_at_first",
            ),
        ],
    },
    Incident {
        what: "A protected file that is not there yet, or is reached through its parent (CVE-2026-25725, CVE-2026-39861)",
        here: "names are judged, there or not; links are followed before they are",
        tests: &[
            (
                "tests/cve.rs",
                "a_repositorys_own_folder_is_protected_under_any_name",
            ),
            (
                "src/workspace/tests/boundary.rs",
                "nothing_under_git_is_written",
            ),
        ],
    },
    Incident {
        what: "The question names a link, and something else is written",
        here: "the question shows where a path leads",
        tests: &[(
            "tests/attacks.rs",
            "an_obeyed_order_takes_no_effect_without_a_question_that_tells_the_truth",
        )],
    },
    Incident {
        what: "A refusal that a link goes around (CVE-2026-25724)",
        here: "rules are judged on both names",
        tests: &[
            (
                "src/protocol/rule.rs",
                "an_allowance_is_judged_on_where_a_path_leads_and_a_refusal_on_both_names",
            ),
            (
                "tests/attacks.rs",
                "a_rule_is_judged_on_what_a_link_leads_to",
            ),
        ],
    },
    Incident {
        what: "A list of allowed commands that a shell reads otherwise (CVE-2026-22708, CVE-2026-30625)",
        here: "no shell; an allowance fits plain words alone",
        tests: &[(
            "src/protocol/rule.rs",
            "a_command_is_allowed_by_its_words_and_refused_wherever_it_stands",
        )],
    },
    Incident {
        what: "Names that are looked up carry data out (CVE-2025-55284)",
        here: "no socket of any family",
        tests: &[
            ("tests/sandbox.rs", "every_way_out_is_refused_by_the_kernel"),
            (
                "tests/packets.rs",
                "a_whole_session_sends_no_packet_and_its_control_does",
            ),
        ],
    },
    Incident {
        what: "A host name with a NUL that ends like an allowed one",
        here: "names are compared whole, and in one form",
        tests: &[
            (
                "src/broker/allow.rs",
                "what_is_written_is_allowed_and_nothing_that_looks_like_it",
            ),
            (
                "tests/cve.rs",
                "a_host_name_that_only_ends_like_an_allowed_one_is_refused",
            ),
        ],
    },
    Incident {
        what: "An agent that switches its own questions off (CVE-2025-53773)",
        here: "no tool writes settings, and no mode allows that class",
        tests: &[("src/agent/policy.rs", "modes_differ_in_what_they_ask")],
    },
    Incident {
        what: "Passing files under names that can be guessed (CVE-2026-46406)",
        here: "random names, made anew, in folders of the user alone",
        tests: &[
            (
                "src/servers/memory/tests/file.rs",
                "nobody_else_may_read_it",
            ),
            (
                "src/workspace/tests/sweeping.rs",
                "what_was_never_put_in_place_is_removed",
            ),
        ],
    },
    Incident {
        what: "A bare repository with hooks inside another one (CVE-2026-26268)",
        here: "a repository is opened by its own path only, and no hook is run",
        tests: &[
            (
                "src/servers/git/tests/hostile.rs",
                "a_repository_that_lies_in_another_is_opened_only_by_its_own_path",
            ),
            (
                "src/servers/git/tests/hostile.rs",
                "nothing_that_a_repository_names_is_run",
            ),
        ],
    },
    Incident {
        what: "A web page speaks to a server on this machine (RUSTSEC-2026-0189)",
        here: "a token, and the address that was asked for",
        tests: &[(
            "tests/serve_http.rs",
            "only_who_has_the_token_and_the_right_address_gets_in",
        )],
    },
    Incident {
        what: "A model file whose numbers overflow (CVE-2026-27940, CVE-2026-33298)",
        here: "the header is read by walden first, and loaded inside the seal",
        tests: &[
            (
                "src/model/llama/gguf/tests.rs",
                "what_the_engine_would_die_of_is_refused_with_its_reason",
            ),
            (
                "tests/model_files.rs",
                "no_number_of_the_metadata_kills_the_engine",
            ),
        ],
    },
    Incident {
        what: "Text that acts on the terminal: links, the clipboard, titles",
        here: "one door, and a screen that writes its own sequences alone",
        tests: &[
            (
                "src/tui/hostile_tests.rs",
                "no_text_of_anybody_else_reaches_the_terminal_as_a_control",
            ),
            (
                "src/compose/panicking.rs",
                "a_panic_says_what_happened_without_what_acts_on_the_terminal",
            ),
        ],
    },
    Incident {
        what: "Letters that cannot be seen carry orders",
        here: "they are shown by their numbers",
        tests: &[
            (
                "src/protocol/text.rs",
                "what_cannot_be_seen_is_made_visible",
            ),
            (
                "src/mcp/tests/pins.rs",
                "everything_that_a_model_could_read_is_shown_and_nothing_stays_hidden",
            ),
        ],
    },
    Incident {
        what: "A picture or a link in an answer that carries data out",
        here: "answers are drawn as text, and nothing is fetched",
        tests: &[(
            "src/tui/hostile_tests.rs",
            "no_text_of_anybody_else_reaches_the_terminal_as_a_control",
        )],
    },
    Incident {
        what: "A memory server that writes any file",
        here: "one file, in walden's state folder",
        tests: &[
            (
                "src/servers/memory/tests/file.rs",
                "only_a_memory_file_can_be_named",
            ),
            (
                "src/servers/memory/tests/compact.rs",
                "what_is_recalled_can_neither_hide_nor_pretend",
            ),
        ],
    },
    Incident {
        what: "Sockets of this machine: containers, the session bus, keys",
        here: "no socket of any family",
        tests: &[("tests/sandbox.rs", "every_way_out_is_refused_by_the_kernel")],
    },
    Incident {
        what: "The way from a Linux guest to its Windows host (AF_VSOCK)",
        here: "no socket of any family",
        tests: &[("tests/sandbox.rs", "every_way_out_is_refused_by_the_kernel")],
    },
    Incident {
        what: "Edits inside the project that nobody is asked about, of what is run later",
        here: "such files are a class of their own, asked about in every mode",
        tests: &[
            (
                "tests/attacks.rs",
                "an_obeyed_order_takes_no_effect_without_a_question_that_tells_the_truth",
            ),
            (
                "tests/cve.rs",
                "what_agents_and_builds_obey_is_asked_about_under_any_name",
            ),
        ],
    },
    Incident {
        what: "git: `.git` or `commondir` elsewhere",
        here: "refused",
        tests: &[
            (
                "src/servers/git/tests/hostile.rs",
                "a_git_folder_elsewhere_is_refused",
            ),
            (
                "src/servers/git/tests/hostile.rs",
                "a_common_folder_elsewhere_is_refused",
            ),
        ],
    },
    Incident {
        what: "git: `core.worktree` elsewhere, read and written",
        here: "refused",
        tests: &[(
            "src/servers/git/tests/hostile.rs",
            "a_work_tree_elsewhere_is_refused",
        )],
    },
    Incident {
        what: "git: borrowed objects elsewhere",
        here: "refused",
        tests: &[(
            "src/servers/git/tests/hostile.rs",
            "borrowed_objects_from_elsewhere_are_refused",
        )],
    },
    Incident {
        what: "git: included settings elsewhere",
        here: "refused",
        tests: &[(
            "src/servers/git/tests/hostile.rs",
            "included_settings_from_elsewhere_are_refused",
        )],
    },
    Incident {
        what: "git: staged through a symlinked folder",
        here: "only bytes that were read beneath the root are staged",
        tests: &[(
            "src/servers/git/tests/hostile.rs",
            "only_files_of_the_repository_are_staged",
        )],
    },
    Incident {
        what: "git: trees with `..`, `.git`, `.GIT`, `git~1` and hidden letters",
        here: "not checked out",
        tests: &[
            (
                "src/servers/git/tests/hostile.rs",
                "a_tree_with_a_treacherous_name_is_not_checked_out",
            ),
            (
                "src/servers/git/tests/hostile.rs",
                "nothing_is_written_through_a_symlinked_folder",
            ),
        ],
    },
    Incident {
        what: "git: a repository of another user",
        here: "refused",
        tests: &[(
            "src/servers/git/tests/hostile.rs",
            "a_repository_of_another_user_is_refused",
        )],
    },
    Incident {
        what: "git: hooks, filters, fsmonitor, difference programs",
        here: "none is run",
        tests: &[(
            "src/servers/git/tests/hostile.rs",
            "nothing_that_a_repository_names_is_run",
        )],
    },
];

const BEGIN: &str = "//! # What broke elsewhere\n";
const END: &str = "//! # What is not promised\n";

fn in_this_crate(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The table, as it stands on the page.
fn table() -> String {
    let mut text = format!(
        "{BEGIN}//!\n//! Incidents of other programs of this kind, and attacks on git's metadata; each is played by tests.\n//!\n\
         //! | what happened | here | shown by |\n//! | --- | --- | --- |\n"
    );
    for incident in INCIDENTS {
        let tests: Vec<String> = incident
            .tests
            .iter()
            .map(|(file, test)| format!("`{file}`: `{test}`"))
            .collect();
        text.push_str(&format!(
            "//! | {} | {} | {} |\n",
            incident.what,
            incident.here,
            tests.join("; ")
        ));
    }
    text + "//!\n"
}

#[test]
fn the_page_shows_the_table_and_every_test_in_it_is_there() {
    for (file, test) in INCIDENTS.iter().flat_map(|incident| incident.tests) {
        let source = std::fs::read_to_string(in_this_crate(file)).expect(file);
        let head = format!("fn {test}(");
        let at = source
            .find(&head)
            .unwrap_or_else(|| panic!("there is no `{test}` in {file}"));
        let before: String = source[..at].chars().rev().take(60).collect();
        let before: String = before.chars().rev().collect();
        assert!(before.contains("test"), "`{test}` in {file} is no test");
    }
    let page = in_this_crate("src/threat_model.rs");
    let text = std::fs::read_to_string(&page).expect("the page");
    let (begin, end) = (text.find(BEGIN), text.find(END).expect("the next heading"));
    let begin = begin.unwrap_or(end);
    let wanted = format!("{}{}{}", &text[..begin], table(), &text[end..]);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&page, &wanted).expect("written");
    } else {
        assert!(
            text == wanted,
            "the page is behind: UPDATE_DOCS=1 cargo test --test cve"
        );
    }
}

#[test]
fn a_sibling_that_begins_like_the_root_is_outside() {
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path().join("root");
    std::fs::create_dir(&root).expect("made");
    let endings = [
        "evil", "2", "-old", ".bak", " ", "_", "~", "root", "\u{200b}", "é", ".", "..", "%", "+",
        "@", "#", ":", ";", "=", "\\",
    ];
    let roots = Roots::open(std::slice::from_ref(&root)).expect("a root");
    for ending in endings {
        let sibling = dir.path().join(format!("root{ending}"));
        std::fs::create_dir_all(&sibling).expect("made");
        std::fs::write(sibling.join("secret"), "x").expect("written");
        for path in [
            format!("{}/secret", sibling.display()),
            format!("../root{ending}/secret"),
            format!("{}/../root{ending}/secret", root.display()),
        ] {
            assert!(roots.read(&path).is_err(), "{path:?}");
        }
    }
}

#[test]
fn what_agents_and_builds_obey_is_asked_about_under_any_name() {
    let names = [
        ".mcp.json",
        ".cursor/mcp.json",
        ".vscode/settings.json",
        ".vscode/tasks.json",
        ".claude/settings.json",
        ".codex/config.toml",
        ".gemini/settings.json",
        ".zed/settings.json",
        ".idea/workspace.xml",
        ".envrc",
        ".npmrc",
        ".github/workflows/x.yml",
        ".gitlab-ci.yml",
        ".husky/pre-commit",
        ".pre-commit-config.yaml",
        ".gitattributes",
        ".gitmodules",
        ".cargo/config.toml",
        ".devcontainer/devcontainer.json",
        ".config/walden/config.toml",
        ".config/walden/rules/rules.toml",
        "AGENTS.md",
        "CLAUDE.md",
        "GEMINI.md",
        "Makefile",
        "justfile",
        "build.rs",
        "Cargo.toml",
        "package.json",
        "setup.py",
        "pyproject.toml",
        "conftest.py",
        "Dockerfile",
        "run.sh",
        ".bashrc",
        ".profile",
    ];
    for name in names {
        for path in [
            name.to_owned(),
            format!("deep/down/{name}"),
            name.to_uppercase(),
        ] {
            assert!(is_executable_data(&path), "{path}");
        }
    }
    for name in [
        "src/main.rs",
        "README.md",
        "docs/makefile.txt",
        "notes.json",
        "config/walden.md",
    ] {
        assert!(!is_executable_data(name), "{name}");
    }
}

#[test]
fn a_repositorys_own_folder_is_protected_under_any_name() {
    for name in [
        ".git",
        ".GIT",
        ".Git",
        "git~1",
        "GIT~1",
        ".git.",
        ".git ",
        ".git. .",
        ".g\u{200d}it",
        ".gi\u{feff}t",
        ".git::$INDEX_ALLOCATION",
    ] {
        for path in [
            format!("{name}/config"),
            format!("a/{name}/hooks/pre-commit"),
            name.to_owned(),
        ] {
            assert!(is_protected(&path), "{path:?}");
        }
    }
    for name in ["git", ".gitignore", "a.git", "src/git/mod.rs"] {
        assert!(!is_protected(name), "{name}");
    }
}

#[cfg(feature = "net")]
#[test]
fn a_host_name_that_only_ends_like_an_allowed_one_is_refused() {
    let entries = [
        "*.allowed.example".to_owned(),
        "one.example:8443".to_owned(),
    ];
    let allowed = walden::broker::Allowed::parse(&entries).expect("entries");
    assert!(allowed.permits("a.allowed.example", 443) && allowed.permits("one.example", 8443));
    for evil in [
        "evil.example\0.allowed.example",
        "evil.example\r.allowed.example",
        "evil.example\n.allowed.example",
        "evil.example .allowed.example",
        "evil.example/.allowed.example",
        "evil.example#.allowed.example",
        "evil.example?.allowed.example",
        "evil.example@a.allowed.example",
        "evil.example%00.allowed.example",
        "evil.example\\.allowed.example",
        "evilallowed.example",
        "allowed.example.evil",
        ".allowed.example",
        "..allowed.example",
        "a\u{3002}allowed.example",
        "a\u{200b}.allowed.example",
    ] {
        assert!(!allowed.permits(evil, 443), "{evil:?}");
    }
    for (host, port) in [
        ("one.example", 443),
        ("one.example\0", 8443),
        ("ONE.example.evil", 8443),
    ] {
        assert!(!allowed.permits(host, port), "{host:?}");
    }
}
