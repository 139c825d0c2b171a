//! The reference page is the table's.

use ringwire::config::reference;

#[test]
fn the_page_in_the_checkout_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/SETTINGS.md");
    let page = std::fs::read_to_string(path).expect("engine/SETTINGS.md can be read");
    assert!(page == reference(), "regenerate it: ringwire config reference > engine/SETTINGS.md");
}

#[test]
fn its_example_is_a_configuration() {
    let variables = [("RINGWIRE_ENDPOINT__MAIN__PASSWORD", "hunter2")];
    // The README's is read nowhere else.
    for page in [&reference(), include_str!("../../../README.md")] {
        let (_, rest) = page.split_once("```toml\n").expect("there is an example");
        let (example, _) = rest.split_once("```").expect("it has an end");
        let config = crate::config(example, &variables, &[]);
        assert!(config.is_ok(), "{config:?}");
    }
}

#[test]
fn it_has_every_setting() {
    let page = reference();
    let all = crate::config(crate::TWO, &[], &[]).unwrap().to_toml();
    for line in all.lines().filter(|line| line.contains(" = ")) {
        let name = line.split(" = ").next().unwrap_or_default();
        assert!(page.contains(&format!("| `{name}` |")), "{name}");
    }
}
