import type { Command } from "./command.ts";

/** Every command there is. The modules are loaded when their command runs, so the table costs next to nothing. */
export interface CommandEntry {
	path: string;
	/** The short form first, where there is one. */
	aliases: readonly string[];
	summary: string;
	load(): Promise<Command>;
}

export const COMMANDS: readonly CommandEntry[] = [
	{
		path: "container run",
		aliases: ["run"],
		summary: "Create a container from an image and start it",
		load: async () => (await import("./container/run.ts")).command,
	},
	{
		path: "container exec",
		aliases: ["exec"],
		summary: "Run a command in a running container",
		load: async () => (await import("./container/exec.ts")).command,
	},
	{
		path: "container ls",
		aliases: ["ps", "container list", "container ps"],
		summary: "List containers",
		load: async () => (await import("./container/ls.ts")).command,
	},
	{
		path: "container attach",
		aliases: ["attach"],
		summary: "Connect this terminal to a running container",
		load: async () => (await import("./container/attach.ts")).command,
	},
	{
		path: "container commit",
		aliases: ["commit"],
		summary: "Make an image from a container's changes",
		load: async () => (await import("./container/commit.ts")).command,
	},
	{
		path: "container cp",
		aliases: ["cp"],
		summary: "Copy files between a container and this machine",
		load: async () => (await import("./container/cp.ts")).command,
	},
	{
		path: "container create",
		aliases: ["create"],
		summary: "Create a container without starting it",
		load: async () => (await import("./container/create.ts")).command,
	},
	{
		path: "container diff",
		aliases: ["diff"],
		summary: "Show what a container changed in its file system",
		load: async () => (await import("./container/diff.ts")).command,
	},
	{
		path: "container export",
		aliases: ["export"],
		summary: "Write a container's file system as a tar archive",
		load: async () => (await import("./container/export.ts")).command,
	},
	{
		path: "container inspect",
		aliases: [],
		summary: "Show everything about containers",
		load: async () => (await import("./container/inspect.ts")).command,
	},
	{
		path: "container kill",
		aliases: ["kill"],
		summary: "Send a signal to running containers",
		load: async () => (await import("./container/kill.ts")).command,
	},
	{
		path: "container logs",
		aliases: ["logs"],
		summary: "Show what a container has written",
		load: async () => (await import("./container/logs.ts")).command,
	},
	{
		path: "container pause",
		aliases: ["pause"],
		summary: "Freeze all processes of containers",
		load: async () => (await import("./container/pause.ts")).command,
	},
	{
		path: "container port",
		aliases: ["port"],
		summary: "Show a container's published ports",
		load: async () => (await import("./container/port.ts")).command,
	},
	{
		path: "container prune",
		aliases: [],
		summary: "Remove all stopped containers",
		load: async () => (await import("./container/prune.ts")).command,
	},
	{
		path: "container rename",
		aliases: ["rename"],
		summary: "Give a container another name",
		load: async () => (await import("./container/rename.ts")).command,
	},
	{
		path: "container restart",
		aliases: ["restart"],
		summary: "Stop containers and start them again",
		load: async () => (await import("./container/restart.ts")).command,
	},
	{
		path: "container rm",
		aliases: ["rm", "container remove"],
		summary: "Remove containers",
		load: async () => (await import("./container/rm.ts")).command,
	},
	{
		path: "container start",
		aliases: ["start"],
		summary: "Start stopped containers",
		load: async () => (await import("./container/start.ts")).command,
	},
	{
		path: "container stats",
		aliases: ["stats"],
		summary: "Show what containers use of the machine, live",
		load: async () => (await import("./container/stats.ts")).command,
	},
	{
		path: "container stop",
		aliases: ["stop"],
		summary: "Stop running containers",
		load: async () => (await import("./container/stop.ts")).command,
	},
	{
		path: "container top",
		aliases: ["top"],
		summary: "Show the processes of a container",
		load: async () => (await import("./container/top.ts")).command,
	},
	{
		path: "container unpause",
		aliases: ["unpause"],
		summary: "Let frozen containers go on",
		load: async () => (await import("./container/unpause.ts")).command,
	},
	{
		path: "container update",
		aliases: ["update"],
		summary: "Change limits and restart policy of containers",
		load: async () => (await import("./container/update.ts")).command,
	},
	{
		path: "container wait",
		aliases: ["wait"],
		summary: "Wait until containers stop, then print their exit codes",
		load: async () => (await import("./container/wait.ts")).command,
	},
	{
		path: "image bootstrap",
		aliases: [],
		summary: "Make a base image from Debian packages",
		load: async () => (await import("./image/bootstrap.ts")).command,
	},
	{
		path: "image history",
		aliases: ["history"],
		summary: "Show how an image came about",
		load: async () => (await import("./image/history.ts")).command,
	},
	{
		path: "image import",
		aliases: ["import"],
		summary: "Make an image from a tar archive of a file system",
		load: async () => (await import("./image/import.ts")).command,
	},
	{
		path: "image inspect",
		aliases: [],
		summary: "Show everything about images",
		load: async () => (await import("./image/inspect.ts")).command,
	},
	{
		path: "image load",
		aliases: ["load"],
		summary: "Load images from a tar archive",
		load: async () => (await import("./image/load.ts")).command,
	},
	{
		path: "image ls",
		aliases: ["images", "image list"],
		summary: "List images",
		load: async () => (await import("./image/ls.ts")).command,
	},
	{
		path: "image pin",
		aliases: [],
		summary: "Keep images from being removed to free disk space",
		load: async () => (await import("./image/pin.ts")).command,
	},
	{
		path: "image unpin",
		aliases: [],
		summary: "Let images be removed to free disk space again",
		load: async () => (await import("./image/unpin.ts")).command,
	},
	{
		path: "image prune",
		aliases: [],
		summary: "Remove unused images",
		load: async () => (await import("./image/prune.ts")).command,
	},
	{
		path: "image pull",
		aliases: ["pull"],
		summary: "Download an image from a registry",
		load: async () => (await import("./image/pull.ts")).command,
	},
	{
		path: "image push",
		aliases: ["push"],
		summary: "Upload an image to a registry",
		load: async () => (await import("./image/push.ts")).command,
	},
	{
		path: "image rm",
		aliases: ["rmi", "image remove"],
		summary: "Remove images",
		load: async () => (await import("./image/rm.ts")).command,
	},
	{
		path: "image save",
		aliases: ["save"],
		summary: "Write images to a tar archive",
		load: async () => (await import("./image/save.ts")).command,
	},
	{
		path: "image tag",
		aliases: ["tag"],
		summary: "Give an image another name",
		load: async () => (await import("./image/tag.ts")).command,
	},
	{
		path: "volume clone",
		aliases: [],
		summary: "Copy a volume",
		load: async () => (await import("./volume/clone.ts")).command,
	},
	{
		path: "volume create",
		aliases: [],
		summary: "Create a volume",
		load: async () => (await import("./volume/create.ts")).command,
	},
	{
		path: "volume export",
		aliases: [],
		summary: "Write a volume's files as a tar archive",
		load: async () => (await import("./volume/export.ts")).command,
	},
	{
		path: "volume import",
		aliases: [],
		summary: "Unpack a tar archive into a volume",
		load: async () => (await import("./volume/import.ts")).command,
	},
	{
		path: "volume inspect",
		aliases: [],
		summary: "Show everything about volumes",
		load: async () => (await import("./volume/inspect.ts")).command,
	},
	{
		path: "volume ls",
		aliases: ["volume list"],
		summary: "List volumes",
		load: async () => (await import("./volume/ls.ts")).command,
	},
	{
		path: "volume prune",
		aliases: [],
		summary: "Remove unused volumes",
		load: async () => (await import("./volume/prune.ts")).command,
	},
	{
		path: "volume rename",
		aliases: [],
		summary: "Give a volume another name",
		load: async () => (await import("./volume/rename.ts")).command,
	},
	{
		path: "volume rm",
		aliases: ["volume remove"],
		summary: "Remove volumes",
		load: async () => (await import("./volume/rm.ts")).command,
	},
	{
		path: "volume update",
		aliases: [],
		summary: "Change a cluster volume",
		load: async () => (await import("./volume/update.ts")).command,
	},
	{
		path: "network connect",
		aliases: [],
		summary: "Connect a container to a network",
		load: async () => (await import("./network/connect.ts")).command,
	},
	{
		path: "network create",
		aliases: [],
		summary: "Create a network",
		load: async () => (await import("./network/create.ts")).command,
	},
	{
		path: "network disconnect",
		aliases: [],
		summary: "Disconnect a container from a network",
		load: async () => (await import("./network/disconnect.ts")).command,
	},
	{
		path: "network inspect",
		aliases: [],
		summary: "Show everything about networks",
		load: async () => (await import("./network/inspect.ts")).command,
	},
	{
		path: "network ls",
		aliases: ["network list"],
		summary: "List networks",
		load: async () => (await import("./network/ls.ts")).command,
	},
	{
		path: "network prune",
		aliases: [],
		summary: "Remove unused networks",
		load: async () => (await import("./network/prune.ts")).command,
	},
	{
		path: "network rm",
		aliases: ["network remove"],
		summary: "Remove networks",
		load: async () => (await import("./network/rm.ts")).command,
	},
	{
		path: "system df",
		aliases: [],
		summary: "Show how much disk space is used",
		load: async () => (await import("./system/df.ts")).command,
	},
	{
		path: "system events",
		aliases: ["events"],
		summary: "Show what happens in the daemon, live",
		load: async () => (await import("./system/events.ts")).command,
	},
	{
		path: "system gc",
		aliases: [],
		summary: "Remove images and build cache until the disk budget holds",
		load: async () => (await import("./system/gc.ts")).command,
	},
	{
		path: "system info",
		aliases: ["info"],
		summary: "Show the state of the daemon and its machine",
		load: async () => (await import("./system/info.ts")).command,
	},
	{
		path: "system prune",
		aliases: [],
		summary: "Remove everything that is not used",
		load: async () => (await import("./system/prune.ts")).command,
	},
	{
		path: "version",
		aliases: [],
		summary: "Show the versions of client and daemon",
		load: async () => (await import("./system/version.ts")).command,
	},
	{
		path: "login",
		aliases: [],
		summary: "Log in to a registry",
		load: async () => (await import("./registry/login.ts")).command,
	},
	{
		path: "logout",
		aliases: [],
		summary: "Log out from a registry",
		load: async () => (await import("./registry/logout.ts")).command,
	},
	{
		path: "search",
		aliases: [],
		summary: "Search a registry for images",
		load: async () => (await import("./registry/search.ts")).command,
	},
	{
		path: "image build",
		aliases: ["build", "builder build", "buildx build", "buildx b"],
		summary: "Build an image from a Dockerfile",
		load: async () => (await import("./build/build.ts")).command,
	},
	{
		path: "builder prune",
		aliases: ["buildx prune"],
		summary: "Remove what builds have cached",
		load: async () => (await import("./build/prune.ts")).command,
	},
	{
		path: "manifest inspect",
		aliases: [],
		summary: "Show a manifest, or a list of manifests",
		load: async () => (await import("./manifest/inspect.ts")).command,
	},
	{
		path: "manifest create",
		aliases: [],
		summary: "Put manifests together to a list",
		load: async () => (await import("./manifest/create.ts")).command,
	},
	{
		path: "manifest annotate",
		aliases: [],
		summary: "Say for which platform a manifest of a list is",
		load: async () => (await import("./manifest/annotate.ts")).command,
	},
	{
		path: "manifest push",
		aliases: [],
		summary: "Upload a list of manifests",
		load: async () => (await import("./manifest/push.ts")).command,
	},
	{
		path: "manifest rm",
		aliases: [],
		summary: "Delete lists of manifests on this machine",
		load: async () => (await import("./manifest/rm.ts")).command,
	},
	{
		path: "inspect",
		aliases: [],
		summary: "Show everything about containers, images, volumes, networks",
		load: async () => (await import("./system/inspect.ts")).command,
	},
	{
		path: "completion",
		aliases: [],
		summary: "Print the completion script of a shell",
		load: async () => (await import("./system/completion.ts")).command,
	},
];

/** The nouns that have commands below them. */
export const GROUPS: Readonly<Record<string, string>> = {
	builder: "Manage builds and their cache",
	container: "Manage containers",
	image: "Manage images",
	manifest: "Manage manifests and lists of them",
	network: "Manage networks",
	system: "Manage the daemon",
	volume: "Manage volumes",
};

/** First words that start another program before the command line is asked. */
export const PROGRAMS: Readonly<Record<string, string>> = {
	daemon: "Run the daemon, as gantryd does",
	registry: "Serve a registry, or collect its garbage",
};

export interface FoundCommand {
	entry: CommandEntry;
	/** The path as it was typed, for messages. */
	typedPath: string;
	/** How many words of the command line it took. */
	words: number;
}

/** The command that `words` begin with, if there is one. */
export function findCommand(words: readonly string[]): FoundCommand | undefined {
	const [first = "", second = ""] = words;
	const both = `${first} ${second}`;
	for (const entry of COMMANDS) {
		if (entry.path === first || entry.aliases.includes(first)) return { entry, typedPath: first, words: 1 };
		if (entry.path === both || entry.aliases.includes(both)) return { entry, typedPath: both, words: 2 };
	}
	return undefined;
}
