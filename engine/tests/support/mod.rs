//! What the tests of the engine share.

/// Makes two tests of each body: `executor::name` and `thread::name`. The body is a function of the [`ringwire::Config`]
/// that says which host its shards have.
macro_rules! on_both_hosts {
    ($($body:ident),* $(,)?) => {
        mod executor {
            $(#[test]
            fn $body() {
                super::$body(ringwire::Config::new().host(ringwire::HostKind::Glommio));
            })*
        }
        mod thread {
            $(#[test]
            fn $body() {
                super::$body(ringwire::Config::new().host(ringwire::HostKind::Thread));
            })*
        }
    };
}

pub(crate) use on_both_hosts;
