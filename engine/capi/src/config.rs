//! Configurations: settings as they are given, and what C wants to be told.

use std::ffi::{c_char, c_int, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ringwire::{Config, ConfigError, Settings};

use crate::boundary::{Callback, Handle, In, Kind, Out};
use crate::code::{ABI_MISMATCH, CONFIG, Code, OK};
use crate::log::{Log, in_callback};
use crate::text::fail;
use crate::version::ABI_VERSION;

#[allow(non_camel_case_types)]
pub(crate) type rw_thread_start = extern "C" fn(*mut c_void, *const c_char);
#[allow(non_camel_case_types)]
pub(crate) type rw_log = extern "C" fn(*mut c_void, c_int, *const c_char);

/// A configuration under way.
#[allow(non_camel_case_types)]
pub(crate) struct rw_config(Mutex<Draft>);

#[derive(Default)]
pub(crate) struct Draft {
    settings: Settings,
    pub(crate) is_host_driven: bool,
    on_thread_start: Option<Callback<rw_thread_start>>,
    pub(crate) log: Option<Log>,
}

impl Kind for rw_config {
    const KIND: u32 = 1;
    const NAME: &'static str = "configuration";
}

impl rw_config {
    pub(crate) fn draft(&self) -> MutexGuard<'_, Draft> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Draft {
    /// A checked configuration.
    pub(crate) fn config(&self) -> Result<Config, Code> {
        let mut config = self.settings.config().map_err(|error| refused(&error))?;
        if self.is_host_driven {
            config = config.host_driven();
        }
        if let Some(callback) = self.on_thread_start {
            config = config.on_thread_start(move |name| call_thread_start(callback, name));
        }
        Ok(config)
    }

    /// Changes the settings, or leaves them as they are.
    fn change(
        &mut self,
        change: impl FnOnce(Settings) -> Result<Settings, ConfigError>,
    ) -> Result<c_int, Code> {
        self.settings = change(self.settings.clone()).map_err(|error| refused(&error))?;
        Ok(OK)
    }
}

fn refused(error: &ConfigError) -> Code {
    fail(CONFIG, format_args!("{error}"))
}

/// On a thread that begins.
pub(crate) fn call_thread_start(callback: Callback<rw_thread_start>, name: &str) {
    let name = std::ffi::CString::new(name).unwrap_or_default();
    in_callback(|| (callback.function)(callback.user, name.as_ptr()));
}

impl Draft {
    pub(crate) fn thread_start(&self) -> Option<Callback<rw_thread_start>> {
        self.on_thread_start
    }
}

export! {
    fn rw_config_new(abi_version: u32, config: Out<Handle<rw_config>>) {
        crate::silence();
        if abi_version != ABI_VERSION {
            let words = format_args!("the program has ABI {abi_version}, the library {ABI_VERSION}");
            return Err(fail(ABI_MISMATCH, words));
        }
        config.wanted("config")?;
        config.set(Handle::shared(rw_config(Mutex::default()))?);
        Ok(OK)
    }

    fn rw_config_set(config: Handle<rw_config>, path: In<c_char>, value: In<c_char>) {
        let (config, path, value) = (config.get()?, path.text("path")?, value.text("value")?);
        config.draft().change(|settings| settings.set(path, value))
    }

    fn rw_config_parse(config: Handle<rw_config>, toml: In<c_char>, len: usize) {
        let (config, toml) = (config.get()?, toml.bytes(len)?);
        let toml = std::str::from_utf8(toml).map_err(|_| fail(CONFIG, format_args!("the text is not UTF-8")))?;
        config.draft().change(|settings| settings.read_toml(toml, "text"))
    }

    fn rw_config_load(config: Handle<rw_config>, path: In<c_char>) {
        let config = config.get()?;
        let path = if path.is_null() { None } else { Some(path.text("path")?) };
        config.draft().change(|settings| {
            let settings = if let Some(path) = path { settings.read_file(path)? } else { settings };
            settings.read_environment(std::env::vars_os())
        })
    }

    fn rw_config_host_driven(config: Handle<rw_config>) {
        config.get()?.draft().is_host_driven = true;
        Ok(OK)
    }

    fn rw_config_on_thread_start(
        config: Handle<rw_config>,
        callback: Option<rw_thread_start>,
        user: Out<c_void>,
    ) {
        let callback = callback.map(|function| Callback { function, user: user.pointer() });
        config.get()?.draft().on_thread_start = callback;
        Ok(OK)
    }

    fn rw_config_on_log(config: Handle<rw_config>, callback: Option<rw_log>, user: Out<c_void>) {
        let log = callback.map(|function| Log::new(Callback { function, user: user.pointer() }));
        config.get()?.draft().log = log;
        Ok(OK)
    }

    fn rw_config_check(config: Handle<rw_config>) {
        config.get()?.draft().config()?;
        Ok(OK)
    }
}
