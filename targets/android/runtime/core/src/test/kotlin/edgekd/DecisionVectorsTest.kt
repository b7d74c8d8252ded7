package edgekd

import edgekd.tasks.taskNamed
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.TestFactory

class DecisionVectorsTest {
    @TestFactory
    fun decisions() =
        Vectors.tests("decisions") { case ->
            val task = checkNotNull(taskNamed(case.text("task")))
            val classes = case.texts("classes")
            val decision = case.getValue("decision").jsonObject
            assertNull(task.problemOf(decision))
            assertEquals(emptyList<String>(), task.contradictions(classes, decision))
            val logits =
                case
                    .getValue("logits")
                    .jsonArray
                    .map { it.number().toFloat() }
                    .toFloatArray()
            val judgement = task.judge(logits, classes, decision)
            assertEquals(case.text("label"), judgement.label)
            assertEquals(case.text("verdict"), if (judgement.reasons.isEmpty()) "answer" else "refer")
            assertEquals(case.reasons(), judgement.reasons.map { it.code to it.text })
            val set = case.orNull("conformal_set")?.jsonArray?.map { it.jsonPrimitive.content }
            assertEquals(set, judgement.conformalSet)
            val findings = case.getValue("findings").jsonObject.mapValues { it.value.jsonPrimitive.content }
            assertEquals(findings, judgement.findings.mapValues { it.value.name.lowercase() })
            val tolerance = case.getValue("tolerance").number()
            val probabilities = case.getValue("probabilities").jsonObject
            assertEquals(probabilities.keys.toList(), judgement.probabilities.keys.toList())
            probabilities.forEach { (name, value) ->
                assertEquals(value.number(), judgement.probabilities.getValue(name), tolerance, name)
            }
            val probability = case.orNull("probability")?.number()
            assertEquals(probability == null, judgement.probability == null)
            if (probability != null) assertEquals(probability, judgement.probability!!, tolerance)
        }
}
