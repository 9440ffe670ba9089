//! Anomaly detection's traces: the Python lines that made a node.

use flambeau_core::autograd::{AnomalyFront, Node, Notes, set_anomaly_front};
use flambeau_core::shared::Shared;
use pyo3::exceptions::PyUserWarning;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::node;

const LINES: &str = "traceback_";
const PARENT: &str = "parent_";

/// The stack as it is, in the keys that PyTorch keeps it under.
fn trace(parent: Option<&Shared<Node>>) -> Option<Notes> {
    Python::attach(|py| {
        let run = || -> PyResult<Notes> {
            let dict = PyDict::new(py);
            dict.set_item(LINES, py.import("traceback")?.call_method0("format_stack")?)?;
            if let Some(parent) = parent {
                dict.set_item(PARENT, node::object(py, parent)?)?;
            }
            Ok(node::notes(&dict))
        };
        // Without a stack (no frame runs) a node is only less well described.
        run().ok()
    })
}

fn text_of(dict: &Bound<'_, PyDict>) -> PyResult<Option<String>> {
    let Some(lines) = dict.get_item(LINES)? else { return Ok(None) };
    let mut text = String::new();
    for line in lines.cast::<PyList>()?.iter() {
        text += &line.extract::<String>()?;
    }
    Ok(Some(text))
}

fn warn(py: Python<'_>, text: String) -> PyResult<()> {
    // Python's own function: a text from a stack may hold anything but is no C string.
    py.import("warnings")?.call_method1("warn", (text, py.get_type::<PyUserWarning>(), 1)).map(|_| ())
}

fn report(failed: &Shared<Node>) {
    Python::attach(|py| {
        let run = || -> PyResult<()> {
            let mut name = failed.name();
            let mut dict = node::notes_of(py, failed)?;
            match text_of(&dict)? {
                None => warn(
                    py,
                    format!(
                        "Error detected in {name}. No forward pass information available. Enable detect anomaly during \
                         forward pass for more information."
                    ),
                )?,
                Some(text) => warn(
                    py,
                    format!("Error detected in {name}. Traceback of forward call that caused the error:\n{text}"),
                )?,
            }
            while let Some(parent) = dict.get_item(PARENT)? {
                let parent_name: String = parent.call_method0("name")?.extract()?;
                dict = parent.getattr("metadata")?.cast_into()?;
                match text_of(&dict)? {
                    None => warn(
                        py,
                        format!(
                            "\n\nPrevious calculation that induced {name}. No forward pass information available. Enable \
                             detect anomaly during forward pass for more information."
                        ),
                    )?,
                    Some(text) => warn(
                        py,
                        format!(
                            "\n\nPrevious calculation that induced {name}. Traceback of forward call that induced the \
                             previous calculation:\n{text}"
                        ),
                    )?,
                }
                name = parent_name;
            }
            Ok(())
        };
        // The pass is failing with an error of its own: a warning made into an error must not hide it.
        let _ = run();
    });
}

pub fn install() {
    set_anomaly_front(AnomalyFront { trace, report });
}
