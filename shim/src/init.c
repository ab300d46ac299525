/*
 * The process 1 of `--init`: this program under another name, mounted into the container. Starts the command, hands
 * signals on to it, reaps what the container orphans, and ends with the command's exit code.
 */
#include "shim.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127, EXIT_SIGNAL_BASE = 128 };

/* A group of its own, in the foreground of the terminal, where there is one: keys reach the command and not us. */
static void run_command(char **command, const sigset_t *old_signals)
{
	setpgid(0, 0);
	signal(SIGTTOU, SIG_IGN);
	tcsetpgrp(STDIN_FILENO, getpgrp()); /* fails without a terminal */
	signal(SIGTTOU, SIG_DFL);
	signal(SIGTTIN, SIG_DFL);
	sigprocmask(SIG_SETMASK, old_signals, NULL);
	execvp(command[0], command);
	int error = errno;
	dprintf(STDERR_FILENO, "init: cannot run %s: %s\n", command[0], strerror(error));
	_exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

/* Collects every child that has ended. Returns whether the command is one of them, with its exit code. */
static bool reap(pid_t command, int *exit_code)
{
	bool ended = false;
	int status;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
		if (pid != command)
			continue;
		*exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SIGNAL_BASE + WTERMSIG(status);
		ended = true;
	}
	return ended;
}

int init_main(int argc, char **argv)
{
	int first = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;
	if (argc <= first) {
		dprintf(STDERR_FILENO, "usage: docker-init -- COMMAND [ARG...]\n");
		return 2;
	}
	sigset_t all, old;
	sigfillset(&all);
	/* Blocked, they wait to be fetched below; those of our own faults must not wait. */
	for (size_t i = 0; i < 5; i++)
		sigdelset(&all, ((const int[]){SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP})[i]);
	sigprocmask(SIG_BLOCK, &all, &old);
	pid_t command = fork();
	if (command == 0)
		run_command(argv + first, &old);
	if (command < 0) {
		dprintf(STDERR_FILENO, "init: fork: %s\n", strerror(errno));
		return EXIT_NOT_EXECUTABLE;
	}
	for (int exit_code = 0;;) {
		siginfo_t info;
		int number = sigwaitinfo(&all, &info);
		if (number == SIGCHLD) {
			if (reap(command, &exit_code))
				return exit_code;
		} else if (number > 0) {
			kill(command, number);
		}
	}
}
