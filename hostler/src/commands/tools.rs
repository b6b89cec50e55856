//! `hostler tools`: what the gateway offers to call, in one line each, or one tool in full.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::{
    cli::Tools,
    client::{Client, endpoint},
    exit::Exit,
    near,
    reach::Gateway,
    term::{Cell, Paint, Term},
};

/// Lists tools, or shows one.
pub async fn run(args: &Tools, gateway: &Gateway, term: Term) -> Result<Exit> {
    let (server, tool) = match args.target.as_deref().map(|target| target.split_once('/').unwrap_or((target, ""))) {
        Some((server, tool)) => (Some(server), Some(tool).filter(|tool| !tool.is_empty())),
        None => (None, None),
    };
    let mut client = Client::open(gateway, &endpoint(server, args.view.as_deref(), "mcp")?).await?;
    let listed = client.tools().await;
    client.close().await;
    let listed = listed?;
    match tool {
        Some(name) => match listed.iter().find(|tool| tool["name"] == name) {
            Some(tool) => show(tool, term)?,
            None => bail!(near::unknown_tool(name, &listed)),
        },
        None if term.json => term.json(&listed)?,
        None if listed.is_empty() => term.note("There are no tools. `hostler status` tells how the servers are."),
        None => {
            let rows: Vec<_> = listed.iter().map(row).collect();
            term.table(&["TOOL", "DESCRIPTION"], &rows)?;
        }
    }
    Ok(Exit::Ok)
}

fn row(tool: &Value) -> Vec<Cell> {
    let description = tool["description"].as_str().unwrap_or_default();
    let first = description.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    vec![Cell::new(tool["name"].as_str().unwrap_or_default(), Paint::Bold), Cell::plain(first)]
}

/// A tool with its description and arguments.
fn show(tool: &Value, term: Term) -> Result<()> {
    if term.json {
        return Ok(term.json(tool)?);
    }
    let name = tool["name"].as_str().unwrap_or_default();
    term.line(&term.paint(Paint::Bold, name))?;
    if let Some(description) = tool["description"].as_str() {
        term.foreign(description)?;
    }
    let schema = &tool["inputSchema"];
    let Some(properties) = schema["properties"].as_object().filter(|properties| !properties.is_empty()) else {
        term.line("\nTakes no arguments.")?;
        return Ok(());
    };
    let required = |key: &str| schema["required"].as_array().is_some_and(|list| list.iter().any(|name| name == key));
    let rows: Vec<_> = properties
        .iter()
        .map(|(key, property)| {
            let must = if required(key) { "required" } else { "" };
            let description = property["description"].as_str().unwrap_or_default();
            vec![Cell::new(key, Paint::Bold), Cell::plain(kind(property)), Cell::plain(must), Cell::plain(description)]
        })
        .collect();
    term.line("")?;
    term.table(&["ARGUMENT", "TYPE", "", "DESCRIPTION"], &rows)?;
    Ok(())
}

/// A property's type in a word or two.
fn kind(property: &Value) -> String {
    match (&property["type"], property["enum"].as_array()) {
        (_, Some(values)) => values.iter().map(Value::to_string).collect::<Vec<_>>().join("|"),
        (Value::String(kind), None) => kind.clone(),
        (Value::Array(kinds), None) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("|"),
        _ => "any".to_owned(),
    }
}
