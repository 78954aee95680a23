//! The tools as a client sees them: the nine of the reference server, and the three that a small model gets instead.

use std::sync::Arc;

use rmcp::model::{JsonObject, MetaObject, Tool, ToolAnnotations};
use serde_json::Value;

use super::shape::{Extra, Field, Shape, field};

/// Which tools a server shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Face {
    /// Those of the reference server.
    Full,
    /// A few short ones, for a small model.
    Compact,
}

/// A tool of this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ToolName {
    CreateEntities,
    CreateRelations,
    AddObservations,
    DeleteEntities,
    DeleteObservations,
    DeleteRelations,
    ReadGraph,
    SearchNodes,
    OpenNodes,
    Remember,
    Recall,
    Forget,
}

/// What a tool does to the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Reads,
    Adds,
    Deletes,
}

const TEXTS: Shape = Shape::List(&Shape::Text);

const ENTITY: Shape = Shape::Object(&[
    field("name", Shape::Text).saying("The name of the entity"),
    field("entityType", Shape::Text).saying("The type of the entity"),
    field("observations", TEXTS)
        .saying("An array of observation contents associated with the entity"),
]);

const RELATION: Shape = Shape::Object(&[
    field("from", Shape::Text).saying("The name of the entity where the relation starts"),
    field("to", Shape::Text).saying("The name of the entity where the relation ends"),
    field("relationType", Shape::Text).saying("The type of the relation"),
]);

const ADDITION: Shape = Shape::Object(&[
    field("entityName", Shape::Text).saying("The name of the entity to add the observations to"),
    field("contents", TEXTS).saying("An array of observation contents to add"),
]);

const ADDED: Shape = Shape::Object(&[
    field("entityName", Shape::Text),
    field("addedObservations", TEXTS),
]);

const DELETION: Shape = Shape::Object(&[
    field("entityName", Shape::Text).saying("The name of the entity containing the observations"),
    field("observations", TEXTS).saying("An array of observations to delete"),
]);

const ENTITIES: Field = field("entities", Shape::List(&ENTITY));
const RELATIONS: Field = field("relations", Shape::List(&RELATION));

impl ToolName {
    const FULL: [Self; 9] = [
        Self::CreateEntities,
        Self::CreateRelations,
        Self::AddObservations,
        Self::DeleteEntities,
        Self::DeleteObservations,
        Self::DeleteRelations,
        Self::ReadGraph,
        Self::SearchNodes,
        Self::OpenNodes,
    ];
    const COMPACT: [Self; 3] = [Self::Remember, Self::Recall, Self::Forget];

    /// Returns the tools of a face; the order never changes, since it stands in a model's prompt.
    pub(super) fn all(face: Face) -> &'static [Self] {
        match face {
            Face::Full => &Self::FULL,
            Face::Compact => &Self::COMPACT,
        }
    }

    /// Finds a face's tool by its name.
    pub(super) fn named(face: Face, name: &str) -> Option<Self> {
        let mut tools = Self::all(face).iter().copied();
        tools.find(|tool| tool.name() == name)
    }

    /// Returns the name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CreateEntities => "create_entities",
            Self::CreateRelations => "create_relations",
            Self::AddObservations => "add_observations",
            Self::DeleteEntities => "delete_entities",
            Self::DeleteObservations => "delete_observations",
            Self::DeleteRelations => "delete_relations",
            Self::ReadGraph => "read_graph",
            Self::SearchNodes => "search_nodes",
            Self::OpenNodes => "open_nodes",
            Self::Remember => "remember",
            Self::Recall => "recall",
            Self::Forget => "forget",
        }
    }

    fn title(self) -> Option<&'static str> {
        match self {
            Self::CreateEntities => Some("Create Entities"),
            Self::CreateRelations => Some("Create Relations"),
            Self::AddObservations => Some("Add Observations"),
            Self::DeleteEntities => Some("Delete Entities"),
            Self::DeleteObservations => Some("Delete Observations"),
            Self::DeleteRelations => Some("Delete Relations"),
            Self::ReadGraph => Some("Read Graph"),
            Self::SearchNodes => Some("Search Nodes"),
            Self::OpenNodes => Some("Open Nodes"),
            Self::Remember | Self::Recall | Self::Forget => None,
        }
    }

    fn description(self) -> &'static str {
        match self {
            Self::CreateEntities => "Create multiple new entities in the knowledge graph",
            Self::CreateRelations => {
                "Create multiple new relations between entities in the knowledge graph. Relations should be in active \
                 voice"
            }
            Self::AddObservations => {
                "Add new observations to existing entities in the knowledge graph"
            }
            Self::DeleteEntities => {
                "Delete multiple entities and their associated relations from the knowledge graph"
            }
            Self::DeleteObservations => {
                "Delete specific observations from entities in the knowledge graph"
            }
            Self::DeleteRelations => "Delete multiple relations from the knowledge graph",
            Self::ReadGraph => "Read the entire knowledge graph",
            Self::SearchNodes => "Search for nodes in the knowledge graph based on a query",
            Self::OpenNodes => "Open specific nodes in the knowledge graph by their names",
            Self::Remember => "Keeps a fact for later sessions.",
            Self::Recall => "Finds facts kept earlier.",
            Self::Forget => "Deletes a kept fact, or all about something.",
        }
    }

    fn effect(self) -> Effect {
        match self {
            Self::CreateEntities
            | Self::CreateRelations
            | Self::AddObservations
            | Self::Remember => Effect::Adds,
            Self::DeleteEntities
            | Self::DeleteObservations
            | Self::DeleteRelations
            | Self::Forget => Effect::Deletes,
            Self::ReadGraph | Self::SearchNodes | Self::OpenNodes | Self::Recall => Effect::Reads,
        }
    }

    /// Returns what it takes.
    pub(super) fn takes(self) -> &'static [Field] {
        const CREATE_ENTITIES: &[Field] = &[ENTITIES];
        const CREATE_RELATIONS: &[Field] = &[RELATIONS];
        const ADD: &[Field] = &[field("observations", Shape::List(&ADDITION))];
        const DELETE_ENTITIES: &[Field] =
            &[field("entityNames", TEXTS).saying("An array of entity names to delete")];
        const DELETE_OBSERVATIONS: &[Field] = &[field("deletions", Shape::List(&DELETION))];
        const DELETE_RELATIONS: &[Field] = &[RELATIONS.saying("An array of relations to delete")];
        const READ: &[Field] = &[field("from", Shape::Count)
            .saying("Where to go on, when an answer said that it is not all")
            .optional()];
        const SEARCH: &[Field] = &[field("query", Shape::Text).saying(
            "The search query to match against entity names, types, and observation content",
        )];
        const OPEN: &[Field] =
            &[field("names", TEXTS).saying("An array of entity names to retrieve")];
        const REMEMBER: &[Field] = &[field("about", Shape::Text), field("fact", Shape::Text)];
        const RECALL: &[Field] = &[field("query", Shape::Text)];
        const FORGET: &[Field] = &[
            field("about", Shape::Text).naming("entity"),
            field("fact", Shape::Text).optional(),
        ];
        match self {
            Self::CreateEntities => CREATE_ENTITIES,
            Self::CreateRelations => CREATE_RELATIONS,
            Self::AddObservations => ADD,
            Self::DeleteEntities => DELETE_ENTITIES,
            Self::DeleteObservations => DELETE_OBSERVATIONS,
            Self::DeleteRelations => DELETE_RELATIONS,
            Self::ReadGraph => READ,
            Self::SearchNodes => SEARCH,
            Self::OpenNodes => OPEN,
            Self::Remember => REMEMBER,
            Self::Recall => RECALL,
            Self::Forget => FORGET,
        }
    }

    /// Returns what its structured result holds.
    fn gives(self) -> Option<&'static [Field]> {
        const CREATED_ENTITIES: &[Field] = &[ENTITIES];
        const CREATED_RELATIONS: &[Field] = &[RELATIONS];
        const RESULTS: &[Field] = &[field("results", Shape::List(&ADDED))];
        const DONE: &[Field] = &[field("success", Shape::Flag), field("message", Shape::Text)];
        const GRAPH: &[Field] = &[ENTITIES, RELATIONS];
        match self {
            Self::CreateEntities => Some(CREATED_ENTITIES),
            Self::CreateRelations => Some(CREATED_RELATIONS),
            Self::AddObservations => Some(RESULTS),
            Self::DeleteEntities | Self::DeleteObservations | Self::DeleteRelations => Some(DONE),
            Self::ReadGraph | Self::SearchNodes | Self::OpenNodes => Some(GRAPH),
            Self::Remember | Self::Recall | Self::Forget => None,
        }
    }

    /// Checks a call's arguments.
    ///
    /// # Errors
    /// When one is missing or of another type; the text is the reference server's.
    pub(super) fn check(self, arguments: &Value) -> Result<(), String> {
        let mut problems = Vec::new();
        Shape::Object(self.takes()).check(Some(arguments), "", &mut problems);
        if problems.is_empty() {
            return Ok(());
        }
        Err(format!(
            "MCP error -32602: Input validation error: Invalid arguments for tool {}: {}",
            self.name(),
            problems.join("\n")
        ))
    }

    /// Describes the tool to a client.
    pub(super) fn describe(self) -> Tool {
        let effect = self.effect();
        let annotations = ToolAnnotations::new()
            .read_only(effect == Effect::Reads)
            .destructive(effect == Effect::Deletes)
            .idempotent(effect != Effect::Adds)
            .open_world(false);
        let mut meta = MetaObject::new();
        let risk = match effect {
            Effect::Reads => "read",
            // What is kept here is read in later sessions.
            Effect::Adds | Effect::Deletes => "memory",
        };
        meta.insert("walden/risk".to_owned(), risk.into());
        let Some(title) = self.title() else {
            let input = as_object(Shape::Object(self.takes()).schema(Extra::Ignored));
            return Tool::new(self.name(), self.description(), input)
                .with_annotations(annotations)
                .with_meta(meta);
        };
        let mut tool = Tool::new(
            self.name(),
            self.description(),
            draft(self.takes(), Extra::Ignored),
        )
        .with_title(title)
        .with_annotations(annotations)
        .with_meta(meta);
        if let Some(fields) = self.gives() {
            tool = tool.with_raw_output_schema(Arc::new(draft(fields, Extra::Forbidden)));
        }
        tool
    }
}

/// Writes fields as the schema of an object, with the dialect that the reference server names.
fn draft(fields: &'static [Field], extra: Extra) -> JsonObject {
    let mut schema = JsonObject::new();
    schema.insert(
        "$schema".to_owned(),
        "http://json-schema.org/draft-07/schema#".into(),
    );
    schema.extend(as_object(Shape::Object(fields).schema(extra)));
    schema
}

fn as_object(schema: Value) -> JsonObject {
    match schema {
        Value::Object(schema) => schema,
        _ => JsonObject::new(),
    }
}
