use super::*;

#[test]
fn every_built_in_theme_names_every_role_and_nothing_else() {
    for name in Theme::built_in() {
        let theme = Theme::load(name, Depth::True, &|_| None).expect(name);
        assert_eq!(theme.warnings, Vec::<String>::new(), "{name}");
        for role in Role::ALL {
            assert!(theme.styles.contains_key(role), "{name}: {}", role.name());
        }
    }
}

#[test]
fn the_default_theme_uses_the_terminals_own_colours() {
    let theme = Theme::built_in_or_default("default", Depth::True);
    for role in Role::ALL {
        let style = theme.style(*role);
        for colour in [style.fg, style.bg].into_iter().flatten() {
            assert!(
                !matches!(colour, Color::Rgb(..) | Color::Indexed(_)),
                "{}",
                role.name()
            );
        }
    }
}

#[test]
fn the_mono_theme_has_no_colour() {
    let theme = Theme::built_in_or_default("mono", Depth::True);
    for role in Role::ALL {
        let style = theme.style(*role);
        assert_eq!((style.fg, style.bg), (None, None), "{}", role.name());
    }
}

#[test]
fn an_unknown_key_warns_and_a_missing_role_falls_back_to_its_parent() {
    let theme = Theme::load("mine", Depth::True, &|name| {
        (name == "mine").then(|| {
            "\"diff.added\" = \"leaf\"\n\"nonsense\" = \"red\"\n[palette]\nleaf = \"#00ff00\"\n"
                .to_owned()
        })
    })
    .expect("a theme");
    assert_eq!(theme.warnings, ["theme `mine`: no role `nonsense`"]);
    let green = Some(Color::Rgb(0, 255, 0));
    assert_eq!(theme.style(Role::DiffAdded).fg, green);
    assert_eq!(theme.style(Role::DiffAddedWord).fg, green);
    assert_eq!(theme.style(Role::CodeKeyword), Style::new());
}

#[test]
fn a_users_default_may_inherit_the_built_in_default_but_not_itself() {
    let theme = Theme::load("default", Depth::True, &|name| {
        (name == "default").then(|| "inherits = \"default\"\n\"accent\" = \"red\"".to_owned())
    })
    .expect("a theme");
    assert_eq!(theme.style(Role::Accent).fg, Some(Color::Red));
    assert_eq!(theme.style(Role::DiffAdded).fg, Some(Color::Green));
    let circle = Theme::load("a", Depth::True, &|name| match name {
        "a" => Some("inherits = \"b\"".to_owned()),
        "b" => Some("inherits = \"a\"".to_owned()),
        _ => None,
    });
    assert!(circle.is_err());
}

#[test]
fn true_colour_is_reduced_to_what_the_terminal_shows() {
    assert_eq!(
        reduce(Color::Rgb(250, 2, 3), Depth::Ansi16),
        Color::LightRed
    );
    assert_eq!(
        reduce(Color::Rgb(255, 0, 0), Depth::Ansi256),
        Color::Indexed(196)
    );
    assert_eq!(Depth::from_environment(None, Some("xterm")), Depth::Ansi16);
    assert_eq!(Depth::from_environment(None, Some("dumb")), Depth::None);
    assert_eq!(Depth::from_environment(None, Some("foot")), Depth::True);
    assert_eq!(reduce(Color::Red, Depth::None), Color::Reset);
    assert_eq!(
        Depth::from_environment(Some("truecolor"), Some("xterm")),
        Depth::True
    );
}
