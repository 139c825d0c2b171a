//! The header as compilers see it, against the committed ABI: sizes, offsets, prototypes.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use crate::build::{prefix, root, run};

/// A source that does not compile unless the header is what `engine/capi/abi/` says.
fn assertions(abi: &str) -> String {
    let mut source =
        String::from("#include <ringwire.h>\n#ifdef __cplusplus\n#define _Static_assert static_assert\n");
    source += "extern \"C\" {\n#endif\n";
    let mut current = "";
    for line in abi.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["struct", name, size] => {
                current = name;
                writeln!(source, "_Static_assert(sizeof({name}) == {size}, \"{name}\");")
            }
            ["constant", "RW_MSG_INIT", ..] | ["abi", _] => Ok(()),
            ["constant", name, value] => {
                writeln!(source, "_Static_assert({name} == {value}, \"{name}\");")
            }
            ["function", ..] => Ok(()),
            [field, offset, size] => {
                write!(
                    source,
                    "_Static_assert(offsetof({current}, {field}) == {offset}, \"{current}.{field}\");\n\
                     _Static_assert(sizeof((({current} *)0)->{field}) == {size}, \"{current}.{field}\");\n"
                )
            }
            _ => panic!("{line}"),
        }
        .expect("a text grows");
    }
    source + "#ifdef __cplusplus\n}\n#endif\nint main(void) { return 0; }\n"
}

fn compiles(compiler: &str, source: &Path) -> bool {
    let mut command = Command::new(compiler);
    command.arg("-fsyntax-only").arg("-I").arg(prefix().join("include")).arg(source);
    command.output().unwrap_or_else(|error| panic!("{compiler}: {error}")).status.success()
}

#[test]
fn compilers_see_the_committed_abi() {
    let abi = std::fs::read_to_string(root().join("engine/capi/abi/1.txt")).expect("the ABI is committed");
    let folder = prefix();
    for (compiler, ending) in [("gcc", "c"), ("clang", "c"), ("g++", "cpp"), ("clang++", "cpp")] {
        let source = folder.join(format!("assertions-{compiler}.{ending}"));
        std::fs::write(&source, assertions(&abi)).expect("a source can be written");
        assert!(compiles(compiler, &source), "{compiler} {}", source.display());
        // It can fail.
        let wrong = abi.replace("struct rw_msg 88", "struct rw_msg 80");
        assert_ne!(wrong, abi);
        std::fs::write(&source, assertions(&wrong)).expect("a source can be written");
        assert!(!compiles(compiler, &source), "{compiler}");
    }
}

#[test]
fn the_packages_find_the_library() {
    let prefix = prefix();
    let mut pkg_config = Command::new("pkg-config");
    pkg_config.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"));
    let flags = run(pkg_config.args(["--cflags", "--libs", "--static", "ringwire"]));
    assert!(
        flags.contains(&format!("-I{}/include", prefix.display())) && flags.contains("-lringwire"),
        "{flags}"
    );
    let mut pkg_config = Command::new("pkg-config");
    pkg_config.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"));
    let flags = run(pkg_config.args(["--cflags", "--libs", "ringwire-static"]));
    let program = prefix.join("by-pkg-config");
    let mut compiler = Command::new("cc");
    compiler.current_dir(root()).args(["-std=c11", "examples/c/subscriber.c", "-o"]).arg(&program);
    run(compiler.args(flags.split_whitespace()));
    let needed = run(Command::new("readelf").arg("-d").arg(&program));
    assert!(needed.contains("libc.so") && !needed.contains("libringwire"), "{needed}");
    let folder = prefix.join("cmake-host");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let readme = std::fs::read_to_string(root().join("README.md")).expect("there is a README");
    let lists =
        readme.split("```cmake\n").nth(1).and_then(|it| it.split("```").next()).expect("it has the snippet");
    std::fs::write(folder.join("CMakeLists.txt"), lists).expect("a file can be written");
    std::fs::copy(root().join("examples/cpp/tick_publisher.cpp"), folder.join("strategy.cpp"))
        .expect("it is there");
    std::fs::copy(root().join("examples/cpp/example.hpp"), folder.join("example.hpp")).expect("it is there");
    run(Command::new("cmake")
        .arg("-S")
        .arg(&folder)
        .arg("-B")
        .arg(folder.join("build"))
        .args([&format!("-DCMAKE_PREFIX_PATH={}", prefix.display()), "-DCMAKE_BUILD_TYPE=Release"]));
    run(Command::new("cmake").arg("--build").arg(folder.join("build")));
    assert!(folder.join("build/strategy").is_file());
}
