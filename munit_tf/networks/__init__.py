"""Networks: functions of tensors that do not depend on a method."""
