/** Which files of a context are sent. Paths are relative to the context, without slashes at their ends. */
export interface ContextFilter {
	/** Whether the file, or the directory itself, is one of them. */
	includes(path: string): boolean;
	/** Whether something in the directory may be, so that it has to be looked into. */
	mayIncludeBelow(path: string): boolean;
}

export const WHOLE_CONTEXT: ContextFilter = { includes: () => true, mayIncludeBelow: () => true };
