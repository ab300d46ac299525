const VARIABLES = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"];

/** The runtime would follow the environment by itself, whatever the settings say, which were made from it. */
export function forgetEnvironmentProxies(environment: Record<string, string | undefined>): void {
	for (const name of VARIABLES) {
		delete environment[name];
		delete environment[name.toLowerCase()];
	}
}
