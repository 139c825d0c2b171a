//! `ringwire completions` and `ringwire man`.

use crate::process::ringwire;

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = ringwire(["completions", shell]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
        for word in ["publish", "subscribe", "channel-column", "reference"] {
            assert!(ended.stdout.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn there_is_a_manual_page_for_each_command() {
    let ended = ringwire(["man"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    assert!(ended.stdout.contains(".TH ringwire 1"), "{ended:?}");
    let folder = std::env::temp_dir().join(format!("ringwire-man-{}", std::process::id()));
    let ended = ringwire(["man", "--dir", folder.to_str().unwrap()]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{ended:?}");
    for name in ["ringwire", "ringwire-publish", "ringwire-config-check"] {
        let page = std::fs::read_to_string(folder.join(format!("{name}.1"))).unwrap();
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
    ringwire(["man", "--dir", "/proc/nowhere"]).failed("/proc/nowhere: ");
}
