/** `moby.buildkit.v1.Control`: builds, their progress, the cache, workers. Field numbers are BuildKit's. */
import {
	bytes,
	flag,
	integer,
	message,
	messageMap,
	nested,
	repeated,
	repeatedBytes,
	repeatedText,
	text,
	textMap,
} from "./message.ts";
import { CACHE_ENTRY, DEFINITION, PLATFORM, RANGE, SOURCE_INFO, TIMESTAMP } from "./values.ts";

export const CONTROL_SERVICE = "moby.buildkit.v1.Control";

export const EXPORTER = message({ type: text(1), attrs: textMap(2) });

export const CACHE_OPTIONS = message({ exports: repeated(4, CACHE_ENTRY), imports: repeated(5, CACHE_ENTRY) });

export const SOLVE_REQUEST = message({
	ref: text(1),
	definition: nested(2, DEFINITION),
	exporterDeprecated: text(3),
	exporterAttrsDeprecated: textMap(4),
	session: text(5),
	frontend: text(6),
	frontendAttrs: textMap(7),
	cache: nested(8, CACHE_OPTIONS),
	entitlements: repeatedText(9),
	frontendInputs: messageMap(10, DEFINITION),
	internal: flag(11),
	/** A policy about sources; we have none. */
	sourcePolicy: bytes(12),
	exporters: repeated(13, EXPORTER),
});
export const SOLVE_RESPONSE = message({ exporterResponse: textMap(1) });

export const STATUS_REQUEST = message({ ref: text(1) });

export const PROGRESS_GROUP = message({ id: text(1), name: text(2), weak: flag(3) });
export const VERTEX = message({
	digest: text(1),
	inputs: repeatedText(2),
	name: text(3),
	cached: flag(4),
	started: nested(5, TIMESTAMP),
	completed: nested(6, TIMESTAMP),
	error: text(7),
	progressGroup: nested(8, PROGRESS_GROUP),
});
export const VERTEX_STATUS = message({
	id: text(1),
	vertex: text(2),
	name: text(3),
	current: integer(4),
	total: integer(5),
	timestamp: nested(6, TIMESTAMP),
	started: nested(7, TIMESTAMP),
	completed: nested(8, TIMESTAMP),
});
export const VERTEX_LOG = message({
	vertex: text(1),
	timestamp: nested(2, TIMESTAMP),
	stream: integer(3),
	msg: bytes(4),
});
export const VERTEX_WARNING = message({
	vertex: text(1),
	level: integer(2),
	short: bytes(3),
	detail: repeatedBytes(4),
	url: text(5),
	info: nested(6, SOURCE_INFO),
	ranges: repeated(7, RANGE),
});
export const STATUS_RESPONSE = message({
	vertexes: repeated(1, VERTEX),
	statuses: repeated(2, VERTEX_STATUS),
	logs: repeated(3, VERTEX_LOG),
	warnings: repeated(4, VERTEX_WARNING),
});

export const BUILDKIT_VERSION = message({ package: text(1), version: text(2), revision: text(3) });
export const INFO_RESPONSE = message({ buildkitVersion: nested(1, BUILDKIT_VERSION) });

export const GC_POLICY = message({
	all: flag(1),
	/** Nanoseconds. */
	keepDuration: integer(2),
	reservedSpace: integer(3),
	filters: repeatedText(4),
	maxUsedSpace: integer(5),
	minFreeSpace: integer(6),
});
export const WORKER_RECORD = message({
	id: text(1),
	labels: textMap(2),
	platforms: repeated(3, PLATFORM),
	gcPolicy: repeated(4, GC_POLICY),
	buildkitVersion: nested(5, BUILDKIT_VERSION),
});
export const LIST_WORKERS_RESPONSE = message({ record: repeated(1, WORKER_RECORD) });

export const USAGE_RECORD = message({
	id: text(1),
	mutable: flag(2),
	inUse: flag(3),
	size: integer(4),
	createdAt: nested(6, TIMESTAMP),
	lastUsedAt: nested(7, TIMESTAMP),
	usageCount: integer(8),
	description: text(9),
	recordType: text(10),
	shared: flag(11),
	parents: repeatedText(12),
});
export const DISK_USAGE_REQUEST = message({ filter: repeatedText(1), ageLimit: integer(2) });
export const DISK_USAGE_RESPONSE = message({ record: repeated(1, USAGE_RECORD) });
export const PRUNE_REQUEST = message({
	filter: repeatedText(1),
	all: flag(2),
	/** Nanoseconds. */
	keepDuration: integer(3),
	reservedSpace: integer(4),
	maxUsedSpace: integer(5),
	minFreeSpace: integer(6),
});
