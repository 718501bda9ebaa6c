package evalkit.policy

deny contains msg if {
  input.act == "tool"
  input.tool.name == "send_mail"
  msg := "no mail"
}
