package edgekd

import edgekd.text.oneLine

/**
 * An error that a user or an app can do something about.
 *
 * @property hint What to do about it; empty where nothing can be done.
 * @property exitCode The exit code of edgekd's commands for this kind, by which logs of all runtimes agree.
 */
sealed class EdgekdException(
    message: String,
    hint: String,
    val exitCode: Int,
    cause: Throwable? = null,
) : Exception(oneLine(message), cause) {
    val hint: String = oneLine(hint)

    /** What is wrong, in one line. */
    override val message: String get() = super.message.orEmpty()
}

/** A file, option or value that the app gave cannot be used. */
class InputException(
    message: String,
    hint: String,
    cause: Throwable? = null,
) : EdgekdException(message, hint, exitCode = 2, cause)

/** A photo is damaged, or of a format that is not read. */
class ImageException(
    message: String,
    hint: String,
) : EdgekdException(message, hint, exitCode = 2)

/** An engine is not among the app's dependencies. */
class MissingDependencyException(
    message: String,
    hint: String,
    cause: Throwable? = null,
) : EdgekdException(message, hint, exitCode = 3, cause)

/** An accelerator was required and not obtained. */
class DeviceUnreachableException(
    message: String,
    hint: String,
) : EdgekdException(message, hint, exitCode = 5)

/** A bundle or a model file is damaged, of an unknown version, or of the wrong kind. */
class ArtefactException(
    message: String,
    hint: String,
    cause: Throwable? = null,
) : EdgekdException(message, hint, exitCode = 6, cause)
