//! The files that belong together.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::problem::Problem;
use crate::read;
use crate::tree::File;

/// Templates and parameters files by path.
#[derive(Debug, Default)]
pub struct Project {
    files: BTreeMap<PathBuf, File>,
}

impl Project {
    /// Reads every `.bicep` and `.sample.bicepparam` file below a directory. Other parameters files
    /// are an operator's own.
    ///
    /// # Errors
    ///
    /// What is wrong with any of them, or that there is none.
    pub fn load(directory: &Path) -> Result<Self, Vec<Problem>> {
        let mut paths = Vec::new();
        find(directory, &mut paths);
        let mut project = Self::default();
        let mut problems = Vec::new();
        for path in paths {
            match read::file(&path) {
                Ok(file) => project.add(file),
                Err(more) => problems.extend(more),
            }
        }
        if problems.is_empty() && project.files.is_empty() {
            problems.push(Problem {
                file: directory.display().to_string(),
                place: crate::Place::default(),
                text: "there is no Bicep file".to_owned(),
            });
        }
        if problems.is_empty() {
            Ok(project)
        } else {
            Err(problems)
        }
    }

    /// Reads texts under the names they would have.
    ///
    /// # Errors
    ///
    /// What is wrong with any of them.
    pub fn from_texts(texts: &[(&str, &str)]) -> Result<Self, Vec<Problem>> {
        let mut project = Self::default();
        for (name, text) in texts {
            project.add(read::source(Path::new(name), text)?);
        }
        Ok(project)
    }

    fn add(&mut self, file: File) {
        self.files.insert(normal(&file.path), file);
    }

    /// The files, by path.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.files.values()
    }

    /// The file that `from` names by a relative path.
    #[must_use]
    pub fn relative(&self, from: &File, path: &str) -> Option<&File> {
        let directory = from.path.parent().unwrap_or(Path::new(""));
        self.files.get(&normal(&directory.join(path)))
    }

    /// The file of this name, which only one has.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&File> {
        let mut files = self.files().filter(|file| file.file_name() == name);
        files.next().filter(|_| files.next().is_none())
    }
}

fn find(directory: &Path, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            find(&path, paths);
        } else if path.to_string_lossy().ends_with(".sample.bicepparam")
            || path.extension().is_some_and(|end| end == "bicep")
        {
            paths.push(path);
        }
    }
}

/// Without `.` and `..`, so that two ways to one file are one.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if normal.file_name().is_some() => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}
