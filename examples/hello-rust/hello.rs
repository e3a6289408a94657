// A whole plugin in Rust: no crates, no bindings generator. The structs are those of jobhost/abi.h, in its order.
use std::ffi::c_void;
use std::os::raw::c_char;
use std::sync::atomic::{AtomicPtr, Ordering};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct JhStr {
    data: *const c_char,
    len: usize,
}

impl JhStr {
    fn of(text: &str) -> JhStr {
        JhStr { data: text.as_ptr() as *const c_char, len: text.len() }
    }
    /// Borrowed: params() lives until run() returns.
    unsafe fn text<'a>(self) -> &'a str {
        if self.data.is_null() {
            return "";
        }
        std::str::from_utf8(std::slice::from_raw_parts(self.data as *const u8, self.len)).unwrap_or("")
    }
}

#[repr(C)]
pub struct JhJob {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct JhError {
    struct_size: u32,
    error_class: i32,
    retry_after_ms: i64,
    code: JhStr,
    message: JhStr,
    details_json: JhStr,
}

#[repr(C)]
pub struct JhHost {
    struct_size: u32,
    abi_major: u32,
    abi_minor: u32,
    flags: u32,
    params: extern "C" fn(*mut JhJob) -> JhStr,
    info: extern "C" fn(*mut JhJob) -> JhStr,
    cancelled: extern "C" fn(*mut JhJob) -> i32,
    log: extern "C" fn(*mut JhJob, i32, JhStr),
    progress: extern "C" fn(*mut JhJob, f64, f64, JhStr) -> i32,
    note: extern "C" fn(*mut JhJob, JhStr, JhStr) -> i32,
    set_result: extern "C" fn(*mut JhJob, JhStr) -> i32,
    set_error: extern "C" fn(*mut JhJob, *const JhError) -> i32,
    last_error: extern "C" fn(*mut JhJob) -> JhStr,
    get_extension: extern "C" fn(*const c_char) -> *const c_void,
}

#[repr(C)]
pub struct JhJobType {
    struct_size: u32,
    flags: u32,
    name: *const c_char,
    run: extern "C" fn(*mut JhJob) -> i32,
}

#[repr(C)]
pub struct JhModule {
    struct_size: u32,
    abi_major: u32,
    abi_minor: u32,
    abi_min_minor: u32,
    manifest: *const c_void,
    init: Option<extern "C" fn(*const JhHost, JhStr) -> i32>,
    deinit: Option<extern "C" fn()>,
    job_type: extern "C" fn(u32) -> *const JhJobType,
    get_extension: Option<extern "C" fn(*const c_char) -> *const c_void>,
}

// The pointers in them are to statics that never change.
unsafe impl Sync for JhJobType {}
unsafe impl Sync for JhModule {}

const OK: i32 = 0;
const FAILED: i32 = -1;
const CANCELLED: i32 = -2;
const CLASS_INTERNAL: i32 = 9;

const MANIFEST: &[u8] = br#"{"manifest": 1, "id": "com.example.hello-rust", "version": "1.0.0", "name": "Hello in Rust",
 "abi": {"major": 1, "min_minor": 0},
 "job_types": [{"name": "hello-rust", "title": "Greet from Rust", "idempotent": true,
  "params": {"type": "object", "properties": {"name": {"type": "string"}}},
  "result": {"type": "object", "required": ["greeting", "params"]},
  "examples": [{"name": "world"}]}]}
"#;

/// The manifest note: owner, type and text as JH_MANIFEST_NOTE lays them out; zeros pad it.
#[repr(C, align(4))]
pub struct Note {
    namesz: u32,
    descsz: u32,
    note_type: u32,
    name: [u8; 8],
    desc: [u8; MANIFEST.len() + 1],
}

const fn with_nul() -> [u8; MANIFEST.len() + 1] {
    let mut out = [0u8; MANIFEST.len() + 1];
    let mut i = 0;
    while i < MANIFEST.len() {
        out[i] = MANIFEST[i];
        i += 1;
    }
    out
}

#[used]
#[link_section = ".note.jobhost"]
static NOTE: Note =
    Note { namesz: 8, descsz: (MANIFEST.len() + 1) as u32, note_type: 1, name: *b"JobHost\0", desc: with_nul() };

static HOST: AtomicPtr<JhHost> = AtomicPtr::new(std::ptr::null_mut());

fn host() -> &'static JhHost {
    unsafe { &*HOST.load(Ordering::Relaxed) }
}

fn fail(job: *mut JhJob, message: &str) -> i32 {
    let error = JhError {
        struct_size: std::mem::size_of::<JhError>() as u32,
        error_class: CLASS_INTERNAL,
        retry_after_ms: -1,
        code: JhStr::of("hello_rust"),
        message: JhStr::of(message),
        details_json: JhStr::of(""),
    };
    (host().set_error)(job, &error);
    FAILED
}

fn hello(job: *mut JhJob) -> i32 {
    let answered = (host().progress)(job, 1.0, 1.0, JhStr::of("greeting")); // also tells of a cancel
    if answered == CANCELLED {
        return CANCELLED;
    }
    let params = unsafe { (host().params)(job).text() };
    let answer = format!("{{\"greeting\": \"hello from Rust\", \"params\": {}}}", params);
    if answered != OK || (host().set_result)(job, JhStr::of(&answer)) != OK {
        return fail(job, unsafe { (host().last_error)(job).text() });
    }
    OK
}

extern "C" fn run(job: *mut JhJob) -> i32 {
    // No panic may cross the boundary.
    std::panic::catch_unwind(|| hello(job)).unwrap_or_else(|_| fail(job, "a panic"))
}

static TYPE: JhJobType =
    JhJobType { struct_size: std::mem::size_of::<JhJobType>() as u32, flags: 2, name: b"hello-rust\0".as_ptr() as *const c_char, run };

extern "C" fn job_type(index: u32) -> *const JhJobType {
    if index == 0 { &TYPE } else { std::ptr::null() }
}

static MODULE: JhModule = JhModule {
    struct_size: std::mem::size_of::<JhModule>() as u32,
    abi_major: 1,
    abi_minor: 0,
    abi_min_minor: 0,
    manifest: &NOTE as *const Note as *const c_void,
    init: None,
    deinit: None,
    job_type,
    get_extension: None,
};

#[no_mangle]
pub extern "C" fn jobhost_plugin_entry_v1(host: *const JhHost) -> *const JhModule {
    HOST.store(host as *mut JhHost, Ordering::Relaxed);
    &MODULE
}
