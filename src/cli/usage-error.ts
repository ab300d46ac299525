/** The command line itself is wrong; shown with the command's usage. */
export class UsageError extends Error {
	constructor(
		message: string,
		/** 125 for options, 1 for arguments. */
		readonly exitCode: number,
		/** How the pointer to the help begins. */
		readonly pointer: "Run" | "See" = "Run",
	) {
		super(message);
		this.name = "UsageError";
	}
}

/** Ends the command with this code; its message, if any, is printed as it is. */
export class ExitError extends Error {
	constructor(
		readonly exitCode: number,
		message = "",
	) {
		super(message);
		this.name = "ExitError";
	}
}
