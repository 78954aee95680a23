"""An MCP server of an office with as many tools as it is told: `server.py 20`. They do nothing but say so."""

import json
import sys

STRING = {"type": "string"}
NUMBER = {"type": "integer"}

# The first three are those that are asked for; whatever else there is makes them harder to find.
TOOLS = [
    ("create_issue", "Opens a new issue in a project's tracker.", {"project": STRING, "title": STRING}),
    ("schedule_event", "Puts an event into the calendar.", {"title": STRING, "date": STRING}),
    ("send_message", "Posts a message into a chat channel.", {"channel": STRING, "text": STRING}),
    ("list_issues", "Lists the issues of a project.", {"project": STRING}),
    ("get_issue", "Shows one issue with its comments.", {"project": STRING, "number": NUMBER}),
    ("close_issue", "Closes an issue.", {"project": STRING, "number": NUMBER}),
    ("comment_on_issue", "Adds a comment to an issue.", {"project": STRING, "number": NUMBER, "text": STRING}),
    ("list_events", "Lists the events of a day.", {"date": STRING}),
    ("cancel_event", "Takes an event out of the calendar.", {"event": STRING}),
    ("move_event", "Gives an event another date.", {"event": STRING, "date": STRING}),
    ("list_channels", "Lists the chat channels.", {}),
    ("read_channel", "Reads the last messages of a channel.", {"channel": STRING}),
    ("edit_message", "Changes a message that was posted.", {"message": STRING, "text": STRING}),
    ("delete_message", "Takes a message back.", {"message": STRING}),
    ("create_channel", "Makes a new chat channel.", {"name": STRING}),
    ("find_person", "Finds a colleague by name.", {"name": STRING}),
    ("list_projects", "Lists the projects.", {}),
    ("create_project", "Starts a new project.", {"name": STRING}),
    ("create_label", "Adds a label to a project.", {"project": STRING, "name": STRING}),
    ("label_issue", "Puts a label on an issue.", {"project": STRING, "number": NUMBER, "label": STRING}),
    ("assign_issue", "Gives an issue to a person.", {"project": STRING, "number": NUMBER, "person": STRING}),
    ("reopen_issue", "Opens a closed issue again.", {"project": STRING, "number": NUMBER}),
    ("create_milestone", "Adds a milestone to a project.", {"project": STRING, "title": STRING, "date": STRING}),
    ("list_milestones", "Lists a project's milestones.", {"project": STRING}),
    ("create_branch", "Makes a branch in a repository.", {"repository": STRING, "name": STRING}),
    ("delete_branch", "Removes a branch of a repository.", {"repository": STRING, "name": STRING}),
    ("list_branches", "Lists the branches of a repository.", {"repository": STRING}),
    ("open_pull_request", "Asks for a branch to be merged.", {"repository": STRING, "branch": STRING, "title": STRING}),
    ("merge_pull_request", "Merges a pull request.", {"repository": STRING, "number": NUMBER}),
    ("list_pull_requests", "Lists the open pull requests.", {"repository": STRING}),
    ("request_review", "Asks a person to review a pull request.", {"repository": STRING, "number": NUMBER, "person": STRING}),
    ("create_release", "Publishes a release of a repository.", {"repository": STRING, "tag": STRING}),
    ("list_releases", "Lists a repository's releases.", {"repository": STRING}),
    ("start_build", "Starts a build of a branch.", {"repository": STRING, "branch": STRING}),
    ("build_status", "Tells how a build stands.", {"build": STRING}),
    ("cancel_build", "Stops a build.", {"build": STRING}),
    ("build_log", "Shows what a build wrote.", {"build": STRING}),
    ("deploy", "Deploys a release to an environment.", {"release": STRING, "environment": STRING}),
    ("roll_back", "Takes a deployment back.", {"environment": STRING}),
    ("list_environments", "Lists the environments.", {}),
    ("create_page", "Writes a new page in the wiki.", {"space": STRING, "title": STRING, "text": STRING}),
    ("get_page", "Reads a page of the wiki.", {"space": STRING, "title": STRING}),
    ("update_page", "Writes a page of the wiki anew.", {"space": STRING, "title": STRING, "text": STRING}),
    ("delete_page", "Removes a page of the wiki.", {"space": STRING, "title": STRING}),
    ("search_pages", "Searches the wiki.", {"query": STRING}),
    ("upload_file", "Puts a file into a shared folder.", {"folder": STRING, "name": STRING}),
    ("share_file", "Gives a person access to a file.", {"file": STRING, "person": STRING}),
    ("list_shared_files", "Lists the files of a shared folder.", {"folder": STRING}),
    ("send_mail", "Sends an electronic letter.", {"to": STRING, "subject": STRING, "text": STRING}),
    ("search_mail", "Searches the mailbox.", {"query": STRING}),
    ("archive_mail", "Puts a letter away.", {"mail": STRING}),
    ("set_reminder", "Reminds you of something later.", {"text": STRING, "date": STRING}),
    ("list_reminders", "Lists the reminders.", {}),
    ("log_time", "Books working hours on a project.", {"project": STRING, "hours": NUMBER}),
    ("list_time", "Lists the booked hours of a week.", {"week": STRING}),
    ("request_holiday", "Asks for days off.", {"from": STRING, "to": STRING}),
    ("book_room", "Reserves a meeting room.", {"room": STRING, "date": STRING}),
    ("list_rooms", "Lists the meeting rooms.", {}),
    ("create_invoice", "Writes an invoice to a customer.", {"customer": STRING, "amount": NUMBER}),
    ("list_customers", "Lists the customers.", {}),
]


def tools(count):
    return [
        {
            "name": name,
            "description": description,
            "inputSchema": {
                "type": "object",
                "properties": properties,
                "required": list(properties),
                "additionalProperties": False,
            },
        }
        for name, description, properties in TOOLS[:count]
    ]


def main():
    count = int(sys.argv[1])
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request:
            continue
        answer = {"jsonrpc": "2.0", "id": request["id"]}
        method = request["method"]
        if method == "initialize":
            answer["result"] = {
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "office", "version": "1"},
            }
        elif method == "tools/list":
            answer["result"] = {"tools": tools(count)}
        elif method == "tools/call":
            words = f"{request['params']['name']} is done"
            answer["result"] = {"content": [{"type": "text", "text": words}]}
        elif method == "ping":
            answer["result"] = {}
        else:
            answer["error"] = {"code": -32601, "message": "there is no such method"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
