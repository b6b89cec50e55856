//! The server as the SDK sees it: what it is, what it can do, and who answers which request.
//!
//! Never answers a tool, a prompt or a resource itself.
#![allow(deprecated, reason = "logging, sampling and the legacy subscriptions are what the legacy suite looks at")]

use std::{
    borrow::Cow,
    sync::{Arc, OnceLock},
};

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CancelTaskParams, CompleteRequestParams, CompleteResult,
        GetPromptRequestParams, GetPromptResponse, GetSkillRequestParams, GetSkillResult, GetTaskParams, GetTaskResult,
        Implementation, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListSkillsResult,
        ListToolsResult, PaginatedRequestParams, ProtocolVersion, ReadResourceDirectoryRequestParams,
        ReadResourceRequestParams, ReadResourceResponse, RequestStateCodec, ServerCapabilities, ServerConfig,
        SetLevelRequestParams, SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams,
        UpdateTaskParams,
    },
    service::{NotificationContext, RequestContext, SubscriptionContext},
    task_manager::TaskManager,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    calls, content,
    era::Era,
    rounds, skills, tasks, tools,
    watch::{self, Session, Toggles, Watchers},
};

/// How long a list may be kept, in milliseconds; lists are the same for all.
const TTL_MS: u64 = 60_000;

/// What all sessions and requests of the process share.
pub struct Shared {
    /// The revisions that are spoken.
    pub era: Era,
    /// Who is told of changes.
    pub watchers: Watchers,
    /// What the lists hold besides.
    pub toggles: Toggles,
    /// Calls that run on after their answer.
    pub tasks: TaskManager,
    /// Seals the state that a client hands back.
    pub states: RequestStateCodec,
}

impl Shared {
    /// A process that nobody has called yet.
    pub fn new(era: Era) -> Arc<Self> {
        // The key guards nothing: whoever has the program has the key.
        let states = RequestStateCodec::new_unchecked(b"the reference server hides nothing".as_slice());
        let (watchers, toggles) = (Watchers::default(), Toggles::default());
        Arc::new(Self { era, watchers, toggles, tasks: TaskManager::new(), states })
    }
}

/// One legacy session, or one modern request.
pub struct Reference {
    /// What it shares with all others.
    pub shared: Arc<Shared>,
    /// What a legacy session keeps between its requests.
    pub session: Arc<Session>,
}

impl Reference {
    /// A server for one more session or request.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared, session: Arc::default() }
    }
}

/// A value in the SDK's types.
///
/// # Errors
/// -32603 when the SDK does not take it: a mistake of this program.
pub fn typed<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

/// A result that ends its request. The SDK takes the mark of it away again in the legacy era.
///
/// # Errors
/// As [`typed`].
pub fn complete<T: DeserializeOwned>(mut result: Value) -> Result<T, ErrorData> {
    result["resultType"] = json!("complete");
    typed(result)
}

/// A list or a resource, with the hints that let it be kept.
///
/// # Errors
/// As [`typed`].
pub fn kept<T: DeserializeOwned>(mut result: Value) -> Result<T, ErrorData> {
    result["ttlMs"] = json!(TTL_MS);
    result["cacheScope"] = json!("public");
    complete(result)
}

type Context = RequestContext<RoleServer>;
type Page = Option<PaginatedRequestParams>;

impl ServerHandler for Reference {
    fn get_info(&self) -> ServerConfig {
        static CAPABILITIES: OnceLock<ServerCapabilities> = OnceLock::new();
        let capabilities = CAPABILITIES.get_or_init(|| {
            ServerCapabilities::builder()
                .enable_tools()
                .enable_tool_list_changed()
                .enable_prompts()
                .enable_prompts_list_changed()
                .enable_resources()
                .enable_resources_list_changed()
                .enable_resources_subscribe()
                .enable_completions()
                .enable_logging()
                .enable_tasks()
                .enable_skills_with_directory_read()
                .build()
        });
        ServerConfig::new(capabilities.clone())
            .with_server_info(Implementation::new("reference", env!("CARGO_PKG_VERSION")))
            .with_instructions("Offers all that the official conformance suite looks at.")
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.shared.era.versions()
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        self.shared.watchers.joined(&self.session, context.peer);
    }

    async fn set_level(&self, params: SetLevelRequestParams, _: Context) -> Result<(), ErrorData> {
        self.session.set_level(params.level);
        Ok(())
    }

    async fn list_tools(&self, _: Page, _: Context) -> Result<ListToolsResult, ErrorData> {
        let extra =
            json!({ "name": "test_extra_tool", "description": "Comes and goes.", "inputSchema": { "type": "object" } });
        kept(json!({ "tools": watch::with(tools::all().to_vec(), &self.shared.toggles.tool, extra) }))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::all().iter().find(|tool| tool["name"] == name).and_then(|tool| typed(tool.clone()).ok())
    }

    async fn call_tool(&self, call: CallToolRequestParams, context: Context) -> Result<CallToolResponse, ErrorData> {
        if let Some(response) = tasks::call(self, &call, &context).await? {
            return Ok(response);
        }
        if let Some(response) = rounds::call(self, &call, &context).await? {
            return Ok(response);
        }
        calls::call(self, &call, &context).await.map(CallToolResponse::from)
    }

    async fn list_resources(&self, _: Page, _: Context) -> Result<ListResourcesResult, ErrorData> {
        let extra =
            json!({ "uri": "test://extra-resource", "name": "extra-resource", "description": "Comes and goes." });
        let resources = [content::resources(), skills::manifests()].concat();
        kept(json!({ "resources": watch::with(resources, &self.shared.toggles.resource, extra) }))
    }

    async fn list_resource_templates(&self, _: Page, _: Context) -> Result<ListResourceTemplatesResult, ErrorData> {
        kept(json!({ "resourceTemplates": content::templates() }))
    }

    async fn read_resource(
        &self,
        params: ReadResourceRequestParams,
        _: Context,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let Some(contents) = content::read(&params.uri).or_else(|| skills::read(&params.uri)) else {
            return Err(ErrorData::resource_not_found("no such resource", Some(json!({ "uri": params.uri }))));
        };
        kept(json!({ "contents": [contents] })).map(ReadResourceResponse::Complete)
    }

    async fn subscribe(&self, params: SubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        self.session.watch(&params.uri);
        Ok(())
    }

    async fn unsubscribe(&self, params: UnsubscribeRequestParams, _: Context) -> Result<(), ErrorData> {
        self.session.forget(&params.uri);
        Ok(())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let key = self.shared.watchers.listens(subscription.sink().clone());
        subscription.cancelled().await;
        self.shared.watchers.left(key);
        Ok(())
    }

    async fn list_prompts(&self, _: Page, _: Context) -> Result<ListPromptsResult, ErrorData> {
        let extra = json!({ "name": "test_extra_prompt", "description": "Comes and goes." });
        kept(json!({ "prompts": watch::with(content::prompts(), &self.shared.toggles.prompt, extra) }))
    }

    async fn get_prompt(
        &self,
        params: GetPromptRequestParams,
        context: Context,
    ) -> Result<GetPromptResponse, ErrorData> {
        if params.name == rounds::PROMPT {
            return rounds::prompt(self, &params, &context).await;
        }
        let said = content::prompt(&params.name, &json!(params.arguments));
        let messages = said.ok_or_else(|| ErrorData::invalid_params("no such prompt", None))?;
        complete(json!({ "messages": messages })).map(GetPromptResponse::Complete)
    }

    async fn complete(&self, params: CompleteRequestParams, _: Context) -> Result<CompleteResult, ErrorData> {
        let values = content::completions(&params.argument.name, &params.argument.value);
        complete(json!({ "completion": { "total": values.len(), "values": values, "hasMore": false } }))
    }

    async fn list_skills(&self, page: Page, _: Context) -> Result<ListSkillsResult, ErrorData> {
        skills::list(page.and_then(|page| page.cursor).as_deref())
    }

    async fn get_skill(&self, params: GetSkillRequestParams, _: Context) -> Result<GetSkillResult, ErrorData> {
        kept(json!({ "skill": skills::get(&params.uri)? }))
    }

    async fn read_resource_directory(
        &self,
        params: ReadResourceDirectoryRequestParams,
        _: Context,
    ) -> Result<ListResourcesResult, ErrorData> {
        skills::directory(&params.uri)
    }

    async fn get_task(&self, params: GetTaskParams, _: Context) -> Result<GetTaskResult, ErrorData> {
        self.shared.tasks.get_task(&params.task_id).map(GetTaskResult::new)
    }

    async fn update_task(&self, params: UpdateTaskParams, _: Context) -> Result<(), ErrorData> {
        self.shared.tasks.update_task(&params.task_id, params.input_responses)
    }

    async fn cancel_task(&self, params: CancelTaskParams, _: Context) -> Result<(), ErrorData> {
        self.shared.tasks.cancel_task(&params.task_id)
    }
}
