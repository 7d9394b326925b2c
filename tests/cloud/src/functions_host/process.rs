//! Child processes with collected output: the handler, and the binary's other commands.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex as AsyncMutex, watch};

/// What a child inherits of this process's environment; the rest would make tests depend on the
/// machine they run on.
const INHERITED: [&str; 8] = [
    "HOME",
    "LD_LIBRARY_PATH",
    "LLVM_PROFILE_FILE",
    "PATH",
    "RUST_BACKTRACE",
    "SYSTEMROOT",
    "TMPDIR",
    "USER",
];

/// How long output is read after the end of a process.
const OUTPUT_LIMIT: Duration = Duration::from_secs(5);

/// How a command ended, and what it printed.
#[derive(Clone, Debug)]
pub struct Output {
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Everything on stdout.
    pub stdout: String,
    /// Everything on stderr.
    pub stderr: String,
}

/// A running child process; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: AsyncMutex<Child>,
    id: u32,
    stdout: Lines,
    stderr: Lines,
}

impl Process {
    /// Starts `program`, with `env` and little else in its environment.
    ///
    /// # Errors
    ///
    /// When the program cannot be started.
    pub fn spawn(
        program: impl AsRef<Path>,
        args: &[&str],
        env: &[(String, String)],
        directory: Option<&Path>,
    ) -> std::io::Result<Self> {
        let inherited: HashSet<&str> = INHERITED.into_iter().collect();
        let inherited = std::env::vars_os()
            .filter(|(name, _)| name.to_str().is_some_and(|name| inherited.contains(name)));
        let mut command = Command::new(located(program.as_ref()));
        command
            .args(args)
            .env_clear()
            .envs(inherited)
            .envs(env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if let Some(directory) = directory {
            command.current_dir(directory);
        }
        let mut child = command.spawn()?;
        let stdout = Lines::collect(child.stdout.take());
        let stderr = Lines::collect(child.stderr.take());
        let id = child.id().unwrap_or_default();
        Ok(Self {
            child: AsyncMutex::new(child),
            id,
            stdout,
            stderr,
        })
    }

    /// The lines on stdout so far.
    #[must_use]
    pub fn stdout_lines(&self) -> Vec<String> {
        self.stdout.all()
    }

    /// The lines on stderr so far.
    #[must_use]
    pub fn stderr_lines(&self) -> Vec<String> {
        self.stderr.all()
    }

    /// Waits until a line on stdout or stderr holds `part`, at most `limit`. Returns whether one
    /// did.
    pub async fn wait_for_line(&self, part: &str, limit: Duration) -> bool {
        let either = async {
            tokio::select! {
                found = self.stdout.wait_for(part) => found || self.stderr.wait_for(part).await,
                found = self.stderr.wait_for(part) => found || self.stdout.wait_for(part).await,
            }
        };
        tokio::time::timeout(limit, either).await.unwrap_or(false)
    }

    /// The exit code, if the process has ended; the inner option is none after a signal.
    #[must_use]
    pub fn exited(&self) -> Option<Option<i32>> {
        let mut child = self.child.try_lock().ok()?;
        child.try_wait().ok().flatten().map(|status| status.code())
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Sends a signal by name, for example `TERM` or `INT`, unless the process has ended.
    pub async fn signal(&self, name: &str) {
        let child = self.child.lock().await;
        if let Some(id) = child.id() {
            let arguments = [format!("-{name}"), id.to_string()];
            let _ = Command::new("kill")
                .args(arguments)
                .stderr(Stdio::null())
                .status()
                .await;
        }
    }

    /// SIGKILL, as the host does; returns when the process is gone and its output has been read.
    pub async fn kill(&self) {
        let _ = self.child.lock().await.kill().await;
        self.output_ended().await;
    }

    /// Waits for the end, at most `limit`. Returns whether the process has ended.
    pub async fn wait(&self, limit: Duration) -> bool {
        let wait = async { self.child.lock().await.wait().await.is_ok() };
        let ended = tokio::time::timeout(limit, wait).await.unwrap_or(false);
        if ended {
            self.output_ended().await;
        }
        ended
    }

    /// Waits until all output has been read. A grandchild that holds the pipes open is not waited
    /// for longer than a few seconds.
    async fn output_ended(&self) {
        let both = async { tokio::join!(self.stdout.ended(), self.stderr.ended()) };
        let _ = tokio::time::timeout(OUTPUT_LIMIT, both).await;
    }

    /// Waits for the end, at most `limit`, and kills the process then.
    ///
    /// # Errors
    ///
    /// When the process did not end by itself in time; the error has its output.
    pub async fn finish(mut self, limit: Duration) -> Result<Output, Output> {
        let ended = tokio::time::timeout(limit, self.child.get_mut().wait()).await;
        if ended.is_err() {
            self.kill().await;
        }
        self.output_ended().await;
        let code = ended
            .as_ref()
            .ok()
            .and_then(|status| status.as_ref().ok()?.code());
        let stdout = self.stdout.text();
        let output = Output {
            code,
            stdout,
            stderr: self.stderr.text(),
        };
        if ended.is_ok() {
            Ok(output)
        } else {
            Err(output)
        }
    }
}

/// The program's path, independent of the directory that the child starts in; a bare name is left
/// to the search path.
fn located(program: &Path) -> PathBuf {
    if program.components().count() == 1 {
        return program.to_owned();
    }
    std::path::absolute(program).unwrap_or_else(|_| program.to_owned())
}

/// Runs a command to its end. One that does not end within two minutes is killed and has no code.
///
/// # Panics
///
/// When the program cannot be started.
pub async fn run(
    program: impl AsRef<Path>,
    args: &[&str],
    env: &[(String, String)],
    directory: Option<&Path>,
) -> Output {
    let process = Process::spawn(program, args, env, directory).expect("the program starts");
    match process.finish(Duration::from_secs(120)).await {
        Ok(output) | Err(output) => output,
    }
}

/// The lines of one output stream, collected in the background.
#[derive(Debug)]
struct Lines {
    lines: Arc<Mutex<Vec<String>>>,
    count: watch::Receiver<usize>,
}

impl Lines {
    fn collect(stream: Option<impl AsyncRead + Unpin + Send + 'static>) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (sender, count) = watch::channel(0);
        let kept = Arc::clone(&lines);
        tokio::spawn(async move {
            let Some(stream) = stream else { return };
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while matches!(stream.read_until(b'\n', &mut line).await, Ok(1..)) {
                let text = String::from_utf8_lossy(&line)
                    .trim_end_matches(['\r', '\n'])
                    .to_owned();
                line.clear();
                kept.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(text);
                sender.send_modify(|count| *count += 1);
            }
        });
        Self { lines, count }
    }

    fn all(&self) -> Vec<String> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn text(&self) -> String {
        self.all()
            .iter()
            .fold(String::new(), |text, line| text + line + "\n")
    }

    /// Whether a line with `part` came before the stream ended.
    async fn wait_for(&self, part: &str) -> bool {
        let mut count = self.count.clone();
        loop {
            count.borrow_and_update();
            if self.all().iter().any(|line| line.contains(part)) {
                return true;
            }
            if count.changed().await.is_err() {
                return self.all().iter().any(|line| line.contains(part));
            }
        }
    }

    /// Waits until everything that was written has been read.
    async fn ended(&self) {
        let mut count = self.count.clone();
        while count.changed().await.is_ok() {}
    }
}
