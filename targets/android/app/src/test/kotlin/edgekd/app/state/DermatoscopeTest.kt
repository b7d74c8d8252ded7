package edgekd.app.state

import edgekd.ArtefactException
import edgekd.Decision
import edgekd.ImageException
import edgekd.Prediction
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.isActive
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.UnconfinedTestDispatcher
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

private val JPEG = byteArrayOf(1, 2, 3)

@OptIn(ExperimentalCoroutinesApi::class)
class DermatoscopeTest {
    private class Answering : Decider {
        override val notes = NOTES
        val answers = mutableListOf<CompletableDeferred<Prediction>>()
        var closed = 0

        override suspend fun decide(jpeg: ByteArray): Prediction = CompletableDeferred<Prediction>().also(answers::add).await()

        override fun close() {
            closed++
        }
    }

    private val scope = TestScope(UnconfinedTestDispatcher())
    private val decider = Answering()
    private val dermatoscope = Dermatoscope(scope) { decider }
    private val phase get() = dermatoscope.screen.value.phase

    private fun taken(): Answering {
        dermatoscope.start()
        assertTrue(dermatoscope.shutter())
        dermatoscope.taken(JPEG)
        return decider
    }

    @Test
    fun `from the opening to a decision and back`() {
        assertEquals(Screen(Phase.Opening, null), dermatoscope.screen.value)
        dermatoscope.start()
        assertEquals(Screen(Phase.Aiming, NOTES), dermatoscope.screen.value)
        assertTrue(dermatoscope.shutter())
        assertEquals(Phase.Taking, phase)
        dermatoscope.taken(JPEG)
        val photo = (phase as Phase.Deciding).photo
        assertEquals(JPEG, photo.jpeg)
        decider.answers.single().complete(prediction(Decision.Retake(listOf(BLURRED)), listOf(BLURRED)))
        val decided = phase as Phase.Decided
        assertEquals(Verdict.RETAKE, decided.outcome.verdict)
        assertEquals(photo, phase.frozen)
        dermatoscope.again()
        assertEquals(Screen(Phase.Aiming, NOTES), dermatoscope.screen.value)
    }

    @Test
    fun `the warnings stay in every phase after the opening`() {
        taken()
        assertEquals(NOTES, dermatoscope.screen.value.bundle)
        decider.answers.single().complete(prediction(Decision.Answer))
        assertEquals(NOTES, dermatoscope.screen.value.bundle)
        dermatoscope.again()
        dermatoscope.cameraFailed(CameraProblem.IN_USE)
        assertEquals(NOTES, dermatoscope.screen.value.bundle)
        dermatoscope.cameraAllowed(false)
        assertEquals(NOTES, dermatoscope.screen.value.bundle)
    }

    @Test
    fun `a bundle that does not open ends it`() {
        val failing = Dermatoscope(scope) { throw ArtefactException("the bundle is damaged", "copy it again") }
        failing.start()
        assertEquals(Phase.Unusable(Problem("the bundle is damaged", "copy it again")), failing.screen.value.phase)
        failing.again()
        assertFalse(failing.shutter())
        assertTrue(failing.screen.value.phase is Phase.Unusable)
    }

    @Test
    fun `an engine that cannot be loaded ends it too`() {
        val failing = Dermatoscope(scope) { throw UnsatisfiedLinkError("libLiteRt.so") }
        failing.start()
        assertEquals(Phase.Unusable(Problem("java.lang.UnsatisfiedLinkError: libLiteRt.so", "")), failing.screen.value.phase)
    }

    @Test
    fun `one photo at a time`() {
        taken()
        assertFalse(dermatoscope.shutter())
        dermatoscope.taken(JPEG)
        assertEquals(1, decider.answers.size)
    }

    @Test
    fun `a photo that nobody took is ignored`() {
        dermatoscope.taken(JPEG)
        dermatoscope.start()
        dermatoscope.taken(JPEG)
        assertEquals(Phase.Aiming, phase)
    }

    @Test
    fun `a decision that comes too late is not shown`() {
        taken()
        dermatoscope.again()
        decider.answers.single().complete(prediction(Decision.Answer))
        assertEquals(Phase.Aiming, phase)
    }

    @Test
    fun `a photo that cannot be read is told, and another can be taken`() {
        taken()
        decider.answers.single().completeExceptionally(ImageException("the image is damaged", "take it again"))
        assertEquals(Problem("the image is damaged", "take it again"), (phase as Phase.Unreadable).problem)
        dermatoscope.again()
        assertTrue(dermatoscope.shutter())
    }

    @Test
    fun `an unforeseen error is no decision`() {
        taken()
        decider.answers.single().completeExceptionally(IllegalStateException("the classifier is closed"))
        assertEquals("java.lang.IllegalStateException: the classifier is closed", (phase as Phase.Unreadable).problem.message)
    }

    @Test
    fun `without the permission there is no camera`() {
        dermatoscope.cameraAllowed(false)
        dermatoscope.start()
        assertEquals(Phase.NeedsPermission, phase)
        assertFalse(dermatoscope.shutter())
        dermatoscope.cameraAllowed(true)
        assertEquals(Phase.Aiming, phase)
        dermatoscope.cameraAllowed(false)
        assertEquals(Phase.NeedsPermission, phase)
    }

    @Test
    fun `a decision survives that the permission is taken away`() {
        taken()
        decider.answers.single().complete(prediction(Decision.Answer))
        dermatoscope.cameraAllowed(false)
        assertTrue(phase is Phase.Decided)
        dermatoscope.again()
        assertEquals(Phase.NeedsPermission, phase)
    }

    @Test
    fun `a camera that fails can be tried again`() {
        dermatoscope.start()
        dermatoscope.cameraFailed(CameraProblem.BROKEN)
        assertEquals(Phase.CameraFailed(CameraProblem.BROKEN), phase)
        dermatoscope.again()
        assertEquals(Phase.Aiming, phase)
    }

    @Test
    fun `a photo that will not come is given up`() {
        dermatoscope.start()
        dermatoscope.shutter()
        dermatoscope.interrupted()
        assertEquals(Phase.Aiming, phase)
        dermatoscope.taken(JPEG)
        assertEquals(Phase.Aiming, phase)
    }

    @Test
    fun `the bundle is opened once and closed once`() {
        var openings = 0
        val scope = TestScope(UnconfinedTestDispatcher())
        val counted =
            Dermatoscope(scope.backgroundScope) {
                openings++
                decider
            }
        repeat(2) { counted.start() }
        repeat(2) { counted.close() }
        assertEquals(1 to 1, openings to decider.closed)
        assertFalse(scope.backgroundScope.isActive)
    }

    @Test
    fun `a bundle that opens after the end is closed`() {
        val opening = CompletableDeferred<Decider>()
        val late = Dermatoscope(TestScope(UnconfinedTestDispatcher()).backgroundScope) { opening.await() }
        late.start()
        late.close()
        opening.complete(decider)
        assertEquals(1, decider.closed)
        assertEquals(Phase.Opening, late.screen.value.phase)
    }
}
