use super::*;

#[test]
fn no_key_means_two_things_in_one_context() {
    for (at, one) in BINDINGS.iter().enumerate() {
        for other in &BINDINGS[at + 1..] {
            let meet = one.context == other.context
                || one.context == Context::Always
                || other.context == Context::Always;
            assert!(
                !(meet && one.code == other.code && one.modifiers == other.modifiers),
                "{}",
                name(one)
            );
        }
    }
}

#[test]
fn a_shifted_character_is_found_with_and_without_its_modifier() {
    for modifiers in [NONE, SHIFT] {
        let key = KeyEvent::new(KeyCode::Char('?'), modifiers);
        assert_eq!(lookup(key, Context::Composer), Some(Action::Help));
    }
    let key = KeyEvent::new(KeyCode::BackTab, SHIFT);
    assert_eq!(lookup(key, Context::Approval), Some(Action::NextMode));
}

#[test]
fn enter_answers_nothing_while_a_call_asks() {
    let key = KeyEvent::new(KeyCode::Enter, NONE);
    assert_eq!(lookup(key, Context::Approval), None);
}

#[test]
fn the_table_names_each_key_with_its_help() {
    let table = key_table();
    let newline = (
        "Ctrl-J Alt-Enter Shift-Enter".to_owned(),
        "begin a new line",
    );
    assert!(table[0].0 == "While you write" && table[0].1.contains(&newline));
    for (when, keys) in table {
        let told = |(keys, help): &(String, &str)| !keys.is_empty() && !help.is_empty();
        assert!(!keys.is_empty() && keys.iter().all(told), "{when}");
    }
}
