import type { Handler } from "./exchange.ts";
import { repositoriesPage, repositoryPage, tagPage } from "./pages/handlers.ts";
import { deleteBlob, getBlob } from "./routes/blobs.ts";
import { listCatalog, listReferrers, listTags, search } from "./routes/listings.ts";
import { deleteManifest, getManifest, putManifest } from "./routes/manifests.ts";
import { base, health, metrics, token } from "./routes/service.ts";
import { appendUpload, cancelUpload, finishUpload, startUpload, uploadStatus } from "./routes/uploads.ts";

export interface Route {
	/** For logs and metrics. */
	readonly name: string;
	readonly pattern: RegExp;
	readonly methods: Readonly<Record<string, Handler>>;
	/** Answered without asking who it is: the handler looks at credentials itself, or needs none. */
	readonly isOpen?: boolean;
}

const NAME = "(?<name>[^?]+)";

/** The first that matches wins. Numbers are those of the distribution specification's end points. */
export const ROUTES: readonly Route[] = [
	{ name: "base", pattern: /^\/v2\/?$/, methods: { GET: base, HEAD: base } }, // 1
	{ name: "catalog", pattern: /^\/v2\/_catalog$/, methods: { GET: listCatalog } },
	{ name: "tags", pattern: route(`${NAME}/tags/list`), methods: { GET: listTags } }, // 8
	{
		name: "manifest",
		pattern: route(`${NAME}/manifests/(?<reference>[^/]+)`),
		methods: { GET: getManifest, HEAD: getManifest, PUT: putManifest, DELETE: deleteManifest }, // 3, 7, 9
	},
	{ name: "uploads", pattern: route(`${NAME}/blobs/uploads/?`), methods: { POST: startUpload } }, // 4, 11
	{
		name: "upload",
		pattern: route(`${NAME}/blobs/uploads/(?<id>[^/]+)`),
		methods: { GET: uploadStatus, PATCH: appendUpload, PUT: finishUpload, DELETE: cancelUpload }, // 5, 6, 13
	},
	{
		name: "blob",
		pattern: route(`${NAME}/blobs/(?<digest>[^/]+)`),
		methods: { GET: getBlob, HEAD: getBlob, DELETE: deleteBlob }, // 2, 10
	},
	{ name: "referrers", pattern: route(`${NAME}/referrers/(?<digest>[^/]+)`), methods: { GET: listReferrers } }, // 12
	{ name: "search", pattern: /^\/v1\/search$/, methods: { GET: search } },
	{ name: "token", pattern: /^\/token$/, methods: { GET: token, POST: token }, isOpen: true },
	{ name: "health", pattern: /^\/(?:healthz|debug\/health)$/, methods: { GET: health, HEAD: health }, isOpen: true },
	{ name: "metrics", pattern: /^\/metrics$/, methods: { GET: metrics }, isOpen: true },
	{ name: "page", pattern: /^\/(?:ui\/?)?$/, methods: { GET: repositoriesPage, HEAD: repositoriesPage } },
	{ name: "page", pattern: /^\/ui\/tag\/(?<name>.+)\/(?<reference>[^/]+)$/, methods: { GET: tagPage, HEAD: tagPage } },
	{ name: "page", pattern: /^\/ui\/repository\/(?<name>.+)$/, methods: { GET: repositoryPage, HEAD: repositoryPage } },
];

function route(path: string): RegExp {
	return new RegExp(`^/v2/${path}$`);
}
