//! What is found, in which order, and how much of it at once.

use super::*;

async fn library() -> (Place, Client) {
    let place = Place::new("");
    let mut client = Client::on(&place).await;
    let entities = json!([
        entity(
            "tokio",
            "crate",
            &["an async runtime", "used by the server"]
        ),
        entity("server", "part", &["speaks MCP over stdio"]),
        entity("deploy", "note", &["the server restarts at night"]),
        entity("runtime notes", "note", &["tokio needs the time driver"]),
        entity("Ada", "person", &["wrote the parser"]),
        entity("parser", "part", &[]),
    ]);
    client
        .call("create_entities", json!({"entities": entities}))
        .await;
    let relations = json!([relation("Ada", "maintains", "parser")]);
    client
        .call("create_relations", json!({"relations": relations}))
        .await;
    (place, client)
}

#[tokio::test]
async fn a_name_comes_before_a_type_before_a_remark() {
    let (_place, mut client) = library().await;
    let mut check = async |query: &str, names: &[&str]| {
        let found = client.names("search_nodes", json!({"query": query})).await;
        assert_eq!(found, names, "{query}");
    };
    check("server", &["server", "tokio", "deploy"]).await;
    check("NOTE", &["runtime notes", "deploy"]).await;
    check("async runtime", &["tokio"]).await;
    // No entity contains these as they stand: their words lead there.
    check("runtime tokio", &["tokio", "runtime notes"]).await;
    check("who maintains it?", &["parser", "Ada"]).await;
    check("zebra", &[]).await;
    check("\u{0}", &[]).await;
}

#[tokio::test]
async fn a_search_gives_the_relations_of_what_it_finds() {
    let (_place, mut client) = library().await;
    let found = client
        .call("search_nodes", json!({"query": "parser"}))
        .await;
    assert_eq!(
        found["structuredContent"]["relations"],
        json!([relation("Ada", "maintains", "parser")])
    );
}

#[tokio::test]
async fn a_word_that_everything_has_leads_nowhere_beside_a_rare_one() {
    let place = Place::new("");
    let mut client = Client::on(&place).await;
    let mut entities: Vec<Value> = (0..2_500)
        .map(|number| entity(&format!("e{number}"), "t", &["a common thing"]))
        .collect();
    entities[7] = entity("e7", "t", &["a common thing", "the needle"]);
    client
        .call("create_entities", json!({"entities": entities}))
        .await;
    let found = client
        .names("search_nodes", json!({"query": "common needle"}))
        .await;
    assert_eq!(found, ["e7"]);
}

#[tokio::test]
async fn a_graph_larger_than_an_answer_is_read_in_parts() {
    let place = Place::new("");
    let mut client = Client::on(&place).await;
    let remark = "x".repeat(1_000);
    let entities: Vec<Value> = (0..600)
        .map(|number| entity(&format!("e{number}"), "t", &[&remark]))
        .collect();
    let relations: Vec<Value> = (0..600)
        .map(|number| relation(&format!("e{number}"), "leads to", "e0"))
        .collect();
    client
        .call("create_entities", json!({"entities": entities}))
        .await;
    client
        .call("create_relations", json!({"relations": relations}))
        .await;
    let (mut from, mut seen, mut parts) = (0, (0, 0), 0);
    loop {
        let result = client.call("read_graph", json!({"from": from})).await;
        let graph = &result["structuredContent"];
        let count = |of: &str| graph[of].as_array().expect("a list").len();
        seen = (seen.0 + count("entities"), seen.1 + count("relations"));
        parts += 1;
        assert!(result["content"][0]["text"].as_str().expect("a text").len() < 400_000);
        let Some(note) = result["content"][1]["text"].as_str() else {
            break;
        };
        assert!(
            note.starts_with("These are not all of the 1200 entities and relations."),
            "{note}"
        );
        let next = note
            .split("{\"from\": ")
            .nth(1)
            .and_then(|rest| rest.split('}').next());
        from = next
            .and_then(|next| next.parse().ok())
            .expect("where to go on");
    }
    assert_eq!(seen, (600, 600));
    assert_eq!(parts, 3);
    let all = client.call("search_nodes", json!({"query": "xxx"})).await;
    assert!(
        all["content"][1]["text"]
            .as_str()
            .expect("a note")
            .contains("not all of the")
    );
}

#[tokio::test]
async fn of_very_many_that_single_words_lead_to_the_best_are_given() {
    let place = Place::new("");
    let mut client = Client::on(&place).await;
    let entities: Vec<Value> = (0..300)
        .map(|number| entity(&format!("e{number}"), "t", &["a thing apart"]))
        .chain([entity("the thing itself", "t", &["apart"])])
        .collect();
    client
        .call("create_entities", json!({"entities": entities}))
        .await;
    let found = client
        .names("search_nodes", json!({"query": "apart thing"}))
        .await;
    assert_eq!((found.len(), found[0].as_str()), (50, "the thing itself"));
}
