import type { Logger } from "../base/logger.ts";
import type { Backends } from "./backends.ts";
import type { Route } from "./router.ts";
import { buildRoutes } from "./routes/build.ts";
import { buildSessionRoutes } from "./routes/build-session.ts";
import { buildKitRoutes } from "./routes/buildkit.ts";
import { containerRoutes } from "./routes/container.ts";
import { containerFilesRoutes } from "./routes/container-files.ts";
import { containerStreamRoutes } from "./routes/container-stream.ts";
import { execRoutes } from "./routes/exec.ts";
import { gcRoutes } from "./routes/gc.ts";
import { imageRoutes } from "./routes/image.ts";
import { networkRoutes } from "./routes/network.ts";
import { registryRoutes } from "./routes/registry.ts";
import { swarmRoutes } from "./routes/swarm.ts";
import { systemRoutes } from "./routes/system.ts";
import { unavailableRoutes } from "./routes/unavailable.ts";
import { volumeRoutes } from "./routes/volume.ts";

/** Every endpoint of the Engine API. */
export function engineRoutes(backends: Backends, logger: Logger): Route[] {
	return [
		// Before the rest: a container's name in a path may have slashes, which would swallow `…/checkpoints/…`.
		...unavailableRoutes(),
		...containerRoutes(backends),
		...containerStreamRoutes(backends),
		...containerFilesRoutes(backends),
		...execRoutes(backends),
		...imageRoutes(backends),
		...registryRoutes(backends),
		...buildRoutes(backends),
		...buildSessionRoutes(backends),
		...buildKitRoutes(backends, logger),
		...volumeRoutes(backends),
		...networkRoutes(backends),
		...systemRoutes(backends),
		...gcRoutes(backends),
		...swarmRoutes(),
	];
}
