package edgekd.app.state

import edgekd.Decision
import edgekd.FindingState
import edgekd.Reason
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test

class OutcomeTest {
    @Test
    fun `an answer has its label`() {
        val outcome = outcomeOf(prediction(Decision.Answer))
        assertEquals(Verdict.ANSWER, outcome.verdict)
        assertEquals("nv" to 0.93, outcome.label to outcome.probability)
        assertEquals(listOf("mel", "nv"), outcome.notExcluded)
    }

    @Test
    fun `a referral has no label, but its set`() {
        val outcome = outcomeOf(prediction(Decision.Refer(listOf(UNSURE)), listOf(UNSURE)))
        assertNull(outcome.label)
        assertNull(outcome.probability)
        assertEquals(listOf(ReasonLine(ReasonWord.UNSURE, UNSURE.text)), outcome.reasons)
        assertEquals(listOf("mel", "nv"), outcome.notExcluded)
    }

    @Test
    fun `a photo to be retaken shows nothing of the output`() {
        val reasons = listOf(BLURRED, UNSURE)
        val findings = mapOf("mel" to FindingState.ABSENT)
        val outcome = outcomeOf(prediction(Decision.Retake(reasons), reasons, findings))
        assertNull(outcome.label)
        assertEquals(listOf(ReasonLine(ReasonWord.BLURRED, BLURRED.text)), outcome.reasons)
        assertEquals(emptyList<String>(), outcome.notExcluded)
        assertEquals(emptyMap<String, FindingState>(), outcome.findings)
    }

    @Test
    fun `a code of a newer runtime keeps its text`() {
        val reason = Reason.Output("new-code", "something new")
        val outcome = outcomeOf(prediction(Decision.Refer(listOf(reason)), listOf(reason)))
        assertEquals(listOf(ReasonLine(null, "something new")), outcome.reasons)
    }

    @Test
    fun `findings keep their states`() {
        val findings = mapOf("mel" to FindingState.UNSURE, "nv" to FindingState.PRESENT)
        assertEquals(findings, outcomeOf(prediction(Decision.Answer, findings = findings, conformalSet = null)).findings)
    }
}
