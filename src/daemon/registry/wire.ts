/** Builds a registry bottom-up; with its neighbours the only place that knows which drivers there are. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { systemClock } from "../../base/clock.ts";
import { errorMessage, InvalidParameterError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import type { RegistryStorage } from "../../core/registry/storage.ts";
import { HttpUpstream } from "../../drivers/registry-upstream/http-upstream.ts";
import { BlobService } from "../../registry/blobs.ts";
import { RegistryEvents } from "../../registry/events.ts";
import { ManifestService } from "../../registry/manifests.ts";
import { registryMetrics } from "../../registry/metrics.ts";
import { CachingPullThrough } from "../../registry/proxy/caching-pull-through.ts";
import type { Registry } from "../../registry/registry.ts";
import { UploadService } from "../../registry/uploads.ts";
import { Webhook } from "../../registry/webhook.ts";
import type { RegistryConfig } from "./config.ts";
import { wireAuthentication } from "./wire-authentication.ts";

/** A registry, and what it owns: that ends with `resources`. */
export async function wireRegistry(
	config: RegistryConfig,
	storage: RegistryStorage,
	logger: Logger,
	resources: AsyncDisposableStack,
): Promise<{ readonly registry: Registry; readonly cache: CachingPullThrough | undefined }> {
	const clock = systemClock;
	const blobs = new BlobService(storage);
	const uploads = new UploadService({ storage, blobs, relieveMemory: () => Bun.gc(true) });
	const manifests = new ManifestService({ storage, blobs });
	const metrics = registryMetrics();
	const events = new RegistryEvents();
	events.listen(({ action }) => metrics.add("gantry_registry_events_total", { action }));
	metrics.set("process_start_time_seconds", {}, Math.floor(clock.now() / 1000));
	metrics.onRender(() => {
		metrics.set("process_resident_memory_bytes", {}, process.memoryUsage.rss());
		metrics.set("gantry_registry_uploads", {}, uploads.activeCount);
	});
	wireWebhooks(config, { events, metrics, logger, clock }, resources);
	const { authenticator, tokenService } = await wireAuthentication(config, clock);
	const services = { storage, blobs, uploads, manifests, events, metrics, logger, clock, authenticator, tokenService };
	const cache = wireCache(config, services);
	if (cache !== undefined) resources.use(cache);
	const isReadOnly = config.flag("read-only");
	return { registry: { ...services, pullThrough: cache, isReadOnly, hasPages: !config.flag("no-ui") }, cache };
}

function wireWebhooks(
	config: RegistryConfig,
	deps: Pick<Registry, "events" | "metrics" | "logger" | "clock">,
	resources: AsyncDisposableStack,
): void {
	const headers = webhookHeaders(config);
	const actions = new Set(config.required("webhook-actions").split(","));
	for (const action of actions)
		if (!["push", "pull", "mount", "delete"].includes(action))
			throw new InvalidParameterError(`--webhook-actions: unknown action ${action}`);
	const hooks = config.list("webhook").map((text) => {
		const url = httpUrl(text, "--webhook");
		const hook = resources.use(new Webhook({ url, headers, actions }, { ...deps, instance: randomUUID() }));
		deps.events.listen((event) => hook.notify(event));
		return hook;
	});
	const waiting = () => hooks.reduce((sum, hook) => sum + hook.queueLength, 0);
	deps.metrics.onRender(() => deps.metrics.set("gantry_registry_webhook_queue", {}, waiting()));
}

function webhookHeaders(config: RegistryConfig): Readonly<Record<string, string>> {
	return Object.fromEntries(
		config.list("webhook-header").map((text) => {
			const colon = text.indexOf(":");
			if (colon < 1) throw new InvalidParameterError("--webhook-header: want NAME:VALUE");
			return [text.slice(0, colon).trim(), text.slice(colon + 1).trim()];
		}),
	);
}

function wireCache(
	config: RegistryConfig,
	services: Omit<Registry, "pullThrough" | "isReadOnly" | "hasPages">,
): CachingPullThrough | undefined {
	const proxy = config.text("proxy");
	if (proxy === undefined) return undefined;
	const user = config.text("proxy-user");
	const credentials =
		user === undefined ? undefined : { user, password: readPassword(config.required("proxy-password-file")) };
	const upstream = new HttpUpstream(httpUrl(proxy, "--proxy"), credentials);
	const options = { tagTtlMs: config.durationMs("proxy-ttl"), keepMs: config.durationMs("proxy-keep") };
	return new CachingPullThrough(upstream, services, options);
}

function httpUrl(text: string, where: string): string {
	const url = URL.canParse(text) ? new URL(text) : undefined;
	if (url === undefined || !/^https?:$/.test(url.protocol))
		throw new InvalidParameterError(`${where}: want the URL of a place reached by http or https`);
	return url.href;
}

function readPassword(path: string): string {
	try {
		return readFileSync(path, "utf8").replace(/\r?\n$/, "");
	} catch (cause) {
		throw new InvalidParameterError(`cannot read ${path}: ${errorMessage(cause)}`, { cause });
	}
}
