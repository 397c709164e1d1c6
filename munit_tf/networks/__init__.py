"""Networks: functions of tensors, with no notion of a method."""
