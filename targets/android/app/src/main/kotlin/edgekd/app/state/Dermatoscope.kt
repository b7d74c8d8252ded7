package edgekd.app.state

import edgekd.EdgekdException
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.cancel
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.update
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import java.io.Closeable

/**
 * The examination of lesions, from the opening of the bundle to the decision on a photo; it outlives a rotation of the screen.
 *
 * Call it on the one thread that [scope] runs on. Photos stay in memory, and only the last one.
 *
 * @param scope Cancelled by [close].
 * @param open Opens the bundle, on a thread of its own.
 */
class Dermatoscope(
    private val scope: CoroutineScope,
    private val open: suspend () -> Decider,
) : Closeable {
    private val current = MutableStateFlow(Screen())
    private var decider: Decider? = null
    private var started = false
    private var closed = false
    private var deciding: Job? = null
    private var allowed = true

    /** What the screen shows. */
    val screen: StateFlow<Screen> = current.asStateFlow()

    private var phase: Phase
        get() = current.value.phase
        set(value) = current.update { it.copy(phase = value) }

    /** Open the bundle, once. */
    fun start() {
        if (started) return
        started = true
        scope.launch {
            // What was opened has to be closed, also where the screen is gone meanwhile.
            val outcome = withContext(NonCancellable) { runCatching { open() } }
            val opened = outcome.getOrNull()
            when {
                closed -> {
                    opened?.close()
                    scope.cancel()
                }

                opened == null -> {
                    phase = Phase.Unusable(problemOf(outcome.exceptionOrNull()))
                }

                else -> {
                    decider = opened
                    current.value = Screen(afterOpening(), opened.notes)
                }
            }
        }
    }

    /** The user allowed the camera, or did not. */
    fun cameraAllowed(yes: Boolean) {
        allowed = yes
        if (!yes && (phase.preview || phase is Phase.CameraFailed)) phase = Phase.NeedsPermission
        if (yes && phase == Phase.NeedsPermission) phase = Phase.Aiming
    }

    /** The camera stopped working. */
    fun cameraFailed(problem: CameraProblem) {
        if (phase.preview) phase = Phase.CameraFailed(problem)
    }

    /** The shutter was pressed. Whether the camera has to take a photo: not while one is taken or looked at. */
    fun shutter(): Boolean {
        if (phase != Phase.Aiming) return false
        phase = Phase.Taking
        return true
    }

    /** The camera was stopped; a photo that was being taken will not come. */
    fun interrupted() {
        if (phase == Phase.Taking) phase = Phase.Aiming
    }

    /** The camera gave the photo that [shutter] requested. */
    fun taken(jpeg: ByteArray) {
        val decider = decider
        if (phase != Phase.Taking || decider == null) return
        val photo = TakenPhoto(jpeg)
        phase = Phase.Deciding(photo)
        deciding =
            scope.launch {
                phase =
                    try {
                        Phase.Decided(photo, outcomeOf(decider.decide(jpeg)))
                    } catch (cancelled: CancellationException) {
                        throw cancelled
                    } catch (error: Exception) {
                        Phase.Unreadable(photo, problemOf(error))
                    }
            }
    }

    /** Back to the preview, from a decision or a camera that failed. */
    fun again() {
        if (phase.frozen == null && phase !is Phase.CameraFailed) return
        deciding?.cancel()
        phase = afterOpening()
    }

    /** Release the bundle; nothing is shown any more. */
    override fun close() {
        if (closed) return
        closed = true
        deciding?.cancel()
        decider?.close()
        if (decider != null || !started) scope.cancel()
    }

    private fun afterOpening(): Phase = if (allowed) Phase.Aiming else Phase.NeedsPermission

    private fun problemOf(error: Throwable?): Problem =
        if (error is EdgekdException) Problem(error.message, error.hint) else Problem(error.toString(), "")
}
