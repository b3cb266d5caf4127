//! Which execution provider runs which part of an opened network.
//!
//! ONNX Runtime tells since 1.24; `ort` has no safe call for it yet.

use std::ffi::{CStr, c_char};
use std::ptr;
use std::slice;

use ort::AsPointer;
use ort::session::Session;
use ort::sys;

/// Session configuration key that makes ONNX Runtime keep the record.
pub(super) const RECORD: &str = "session.record_ep_graph_assignment_info";

/// Nodes of the network by the name of the execution provider that runs them.
pub(super) fn nodes_by_provider(session: &Session) -> Result<Vec<(String, usize)>, ort::Error> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for &subgraph in subgraphs(session)? {
        let (name, nodes) = describe(subgraph)?;
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += nodes,
            None => counts.push((name, nodes)),
        }
    }
    Ok(counts)
}

fn subgraphs(session: &Session) -> Result<&[*const sys::OrtEpAssignedSubgraph], ort::Error> {
    let (mut list, mut count) = (ptr::null(), 0);
    // SAFETY: the session lives; both out-pointers are ours; the status is handed over once.
    unsafe {
        let status = (ort::api().Session_GetEpGraphAssignmentInfo)(session.ptr(), &mut list, &mut count);
        ort::Error::result_from_status(status)?;
    }
    // SAFETY: on success the session owns an array of `count` pointers for as long as it lives.
    Ok(if count == 0 { &[] } else { unsafe { slice::from_raw_parts(list, count) } })
}

fn describe(subgraph: *const sys::OrtEpAssignedSubgraph) -> Result<(String, usize), ort::Error> {
    let mut name: *const c_char = ptr::null();
    let (mut nodes, mut count) = (ptr::null(), 0);
    // SAFETY: `subgraph` comes from a session that lives; the out-pointers are ours; each status is handed over once.
    unsafe {
        let api = ort::api();
        ort::Error::result_from_status((api.EpAssignedSubgraph_GetEpName)(subgraph, &mut name))?;
        ort::Error::result_from_status((api.EpAssignedSubgraph_GetNodes)(subgraph, &mut nodes, &mut count))?;
    }
    // SAFETY: on success `name` is a string that the session owns.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
    Ok((name, count))
}
