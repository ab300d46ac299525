/** Commands of docker that are not there yet, with what they will do. Typing one is answered with a clear error. */
export const UNAVAILABLE_COMMANDS: Readonly<Record<string, string>> = {
	buildx: "Build with more control",
	checkpoint: "Manage checkpoints",
	compose: "Run applications of several containers",
	config: "Manage Swarm configs",
	context: "Manage contexts",
	node: "Manage Swarm nodes",
	plugin: "Manage plugins",
	secret: "Manage Swarm secrets",
	service: "Manage Swarm services",
	stack: "Manage Swarm stacks",
	swarm: "Manage Swarm",
	"system dial-stdio": "Connect standard input and output to the daemon",
	trust: "Manage trust in images",
};
